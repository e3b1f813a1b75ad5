package step

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"
)

// identity names a step without a name by what it says, so that an edit above it
// changes nothing for what is under way; equal steps are told apart by their order.
func (b *Compiler) identity(key string, n *yaml.Node) string {
	h := sha256.New()
	digest(h, n, 0)
	id := key + "#" + hex.EncodeToString(h.Sum(nil)[:6])
	b.equal[id]++
	if k := b.equal[id]; k > 1 {
		id = fmt.Sprintf("%s.%d", id, k)
	}
	return id
}

// deepest bounds digest: an alias may stand inside of what it names.
const deepest = 100

// digest writes what a node says, whatever its style and its place.
func digest(w io.Writer, n *yaml.Node, depth int) {
	if depth > deepest {
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	fmt.Fprintf(w, "%d %s %q[", n.Kind, n.ShortTag(), n.Value)
	for _, c := range n.Content {
		digest(w, c, depth+1)
	}
	io.WriteString(w, "]")
}
