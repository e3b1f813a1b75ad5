package daemon

import "pipelined"

// settings are what a project file says that cannot change while the project runs:
// what is opened once, at the start.
type settings struct {
	server, admin string // addresses
	token         pipelined.Secret
	store         string
}

// settings are those of a project, where the command line does not say otherwise.
func (o Options) settings(l *Loaded) settings {
	s := settings{server: l.Project.File.Server.Listen, admin: l.Project.File.Admin.Listen,
		token: l.Project.File.Admin.Token, store: l.StorePath()}
	if o.Listen != "" {
		s.server = o.Listen
	}
	if o.Admin != "" {
		s.admin = o.Admin
	}
	return s
}

// changed names the settings that are others now.
func (s settings) changed(now settings) []string {
	var out []string
	for _, c := range []struct {
		name    string
		differs bool
	}{
		{"server.listen", s.server != now.server}, {"admin.listen", s.admin != now.admin},
		{"admin.token", s.token.Reveal() != now.token.Reveal()}, {"store.path", s.store != now.store},
	} {
		if c.differs {
			out = append(out, c.name)
		}
	}
	return out
}
