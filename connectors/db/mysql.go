package db

import (
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"

	"pipelined"
)

func openMySQL(text string) (*sql.DB, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "mysql" || u.Hostname() == "" {
		return nil, errors.New("url must look like mysql://user:password@host:3306/db")
	}
	m := mysql.NewConfig()
	m.Net, m.Addr, m.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	if u.Port() == "" {
		m.Addr = net.JoinHostPort(u.Hostname(), "3306")
	}
	if u.User != nil {
		m.User = u.User.Username()
		m.Passwd, _ = u.User.Password()
	}
	for name, v := range u.Query() {
		if name != "tls" {
			return nil, fmt.Errorf("url: there is no parameter %q; tls is the only one: true, preferred or skip-verify", name)
		}
		m.TLSConfig = v[0]
	}
	m.ParseTime = true
	m.ClientFoundRows = true // affected counts what was matched, as elsewhere
	m.Params = map[string]string{"time_zone": "'+00:00'"}
	m.Logger = &mysql.NopLogger{} // errors are returned
	connector, err := mysql.NewConnector(m)
	if err != nil {
		return nil, errors.New("url: tls takes true, preferred or skip-verify")
	}
	return sql.OpenDB(connector), nil
}

// mysqlProblem goes by the server's error number. Messages repeat values, so only
// the names in them are passed on.
func mysqlProblem(e *mysql.MySQLError) *pipelined.Problem {
	f := facts{Code: fmt.Sprint(e.Number)}
	switch e.Number {
	case 1062: // Duplicate entry 'value' for key 'name'
		f.Constraint = lastBetween(e.Message, "for key '", "'")
		return constraint(f)
	case 1216, 1217, 1451, 1452, 3819, 4025: // … CONSTRAINT `name` …
		f.Constraint = lastBetween(e.Message, "CONSTRAINT `", "`")
		return constraint(f)
	case 1048, 1364: // Column 'name' cannot be null
		f.Column = lastBetween(e.Message[:min(len(e.Message), 100)], " '", "'")
		if f.Column == "" {
			f.Column = lastBetween(e.Message, "'", "'")
		}
		return constraint(f)
	case 1205, 1213, 1637, 3572:
		return busy(f)
	case 1317, 1969, 3024:
		return timeout()
	case 1040, 1053, 1203, 1226, 2002, 2003, 2006, 2013:
		return away("the server refuses connections or is stopping", f).Transient()
	case 1044, 1045, 1049, 1698:
		return away("the server refuses the user, the password or the database", f)
	case 1064, 1054, 1146, 1052, 1305, 1136, 1142, 1143, 1290, 1792:
		return failed(e.Message, f)
	case 1264, 1265, 1292, 1366, 1367, 1406, 1411, 3140:
		return unfit(f)
	}
	return failed("", f)
}

// lastBetween returns the text behind the last start, up to the end after it.
func lastBetween(s, start, end string) string {
	i := strings.LastIndex(s, start)
	if i < 0 {
		return ""
	}
	s = s[i+len(start):]
	if j := strings.Index(s, end); j >= 0 {
		return s[:j]
	}
	return ""
}
