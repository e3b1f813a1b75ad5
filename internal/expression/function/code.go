package function

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"net/url"
	"strings"

	"pipelined/internal/value"
)

var codeFunctions = []Function{
	own("encoding", "base64Encode", "base64Encode(v)", "Base64.", `base64Encode("a?b")`, `"YT9i"`, encode(base64.StdEncoding.EncodeToString)),
	own("encoding", "base64Decode", "base64Decode(s)", "The text of base64.", `base64Decode("YT9i")`, `"a?b"`, decode(base64.StdEncoding.DecodeString)),
	own("encoding", "base64UrlEncode", "base64UrlEncode(v)", "Base64 with the URL alphabet, without padding.", `base64UrlEncode("a?>b")`, `"YT8-Yg"`, encode(base64.RawURLEncoding.EncodeToString)),
	own("encoding", "base64UrlDecode", "base64UrlDecode(s)", "The text of it.", `base64UrlDecode("YT8-Yg")`, `"a?>b"`, decode(base64.RawURLEncoding.DecodeString)),
	own("encoding", "hexEncode", "hexEncode(v)", "Hexadecimal.", `hexEncode("az")`, `"617a"`, encode(hex.EncodeToString)),
	own("encoding", "hexDecode", "hexDecode(s)", "The text of it.", `hexDecode("617a")`, `"az"`, decode(hex.DecodeString)),
	own("encoding", "urlEncode", "urlEncode(v)", "The text as one segment of a path or one value of a query.", `urlEncode("a b/c")`, `"a%20b%2Fc"`, func(args ...any) (any, error) {
		s, err := value.Text(args[0])
		return url.PathEscape(s), err
	}),
	own("encoding", "urlDecode", "urlDecode(s)", "The text of it.", `urlDecode("a%20b%2Fc")`, `"a b/c"`, func(args ...any) (any, error) {
		s, err := textArg(args, 0)
		if err != nil {
			return nil, err
		}
		out, err := url.PathUnescape(s)
		if err != nil {
			return nil, errors.New("the text is not URL-encoded")
		}
		return out, nil
	}),
	own("hash", "md5", "md5(v, encoding?)", "MD5, for systems that still ask for it.", `md5("a")`, `"0cc175b9c0f1b6a831c399e269772661"`, digest(md5.New)),
	own("hash", "sha1", "sha1(v, encoding?)", "SHA-1, for systems that still ask for it.", `sha1("a")`, `"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"`, digest(sha1.New)),
	own("hash", "sha256", "sha256(v, encoding?)", "SHA-256, in hex or base64.", `sha256("a", "base64")`, `"ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs="`, digest(sha256.New)),
	own("hash", "sha512", "sha512(v, encoding?)", "SHA-512, in hex or base64.", `len(sha512("a"))`, `128`, digest(sha512.New)),
	own("hash", "hmacSha256", "hmacSha256(key, v, encoding?)", "HMAC with SHA-256, in hex or base64.", `hmacSha256("key", "text")`, `"6afa9046a9579cad143a384c1b564b9a250d27d6f6a63f9f20bf3a7594c9e2c6"`, hmacSHA256),
	inEnv("id", "uuid", "uuid()", "A new id, UUIDv7: later ones sort after earlier ones.", `len(uuid())`, `36`, func(e *Env, _ ...any) (any, error) { return e.NewID(), nil }),
	inEnv("id", "randomString", "randomString(length, alphabet?)", "A text of random letters and digits; not for secrets.", `len(randomString(8))`, `8`, randomString),
}

func bytesOf(v any) ([]byte, error) {
	if b, ok := v.([]byte); ok {
		return b, nil
	}
	s, err := value.Text(v)
	return []byte(s), err
}

func encode(f func([]byte) string) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		b, err := bytesOf(args[0])
		return f(b), err
	}
}

func decode(f func(string) ([]byte, error)) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		s, err := textArg(args, 0)
		if err != nil {
			return nil, err
		}
		b, err := f(s)
		if err != nil {
			return nil, errors.New("the text is not encoded so")
		}
		return string(b), nil
	}
}

func encoded(sum []byte, args []any, i int) (any, error) {
	as, err := textArg(args, i)
	if err != nil {
		return nil, err
	}
	switch as {
	case "", "hex":
		return hex.EncodeToString(sum), nil
	case "base64":
		return base64.StdEncoding.EncodeToString(sum), nil
	}
	return nil, errors.New("the encoding is hex or base64")
}

func digest(h func() hash.Hash) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		b, err := bytesOf(args[0])
		if err != nil {
			return nil, err
		}
		d := h()
		d.Write(b)
		return encoded(d.Sum(nil), args, 1)
	}
}

func hmacSHA256(args ...any) (any, error) {
	key, err1 := bytesOf(args[0])
	b, err2 := bytesOf(args[1])
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	m := hmac.New(sha256.New, key)
	m.Write(b)
	return encoded(m.Sum(nil), args, 2)
}

func randomString(e *Env, args ...any) (any, error) {
	n, err := intArg(args, 0)
	if err != nil || n < 0 || n > MaxText {
		return nil, errors.New("length is a whole number that is not too large")
	}
	alphabet := []rune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
	if len(args) > 1 {
		s, err := textArg(args, 1)
		if err != nil {
			return nil, err
		}
		alphabet = []rune(s)
	}
	if len(alphabet) == 0 {
		return nil, errors.New("the alphabet is empty")
	}
	var b strings.Builder
	for range n {
		b.WriteRune(alphabet[int(e.Random()*float64(len(alphabet)))])
	}
	if b.Len() > MaxText {
		return nil, errTooMuch
	}
	return b.String(), nil
}
