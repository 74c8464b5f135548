package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"tianhai/trace/photo"
	"tianhai/trace/scan"
)

// config is the whole configuration. Every field has a usable zero value; the
// embedded part runs wherever the URL of an outside one is empty. The
// environment variable of a key is TIANHAI_ and its path in capitals:
// journal.max_bytes is TIANHAI_JOURNAL_MAX_BYTES. A list is YAML there too.
type config struct {
	Data     string         `yaml:"data"` // directory of all state; default "data"
	HTTP     httpConfig     `yaml:"http"`
	MQTT     mqttConfig     `yaml:"mqtt"`
	Brokers  []brokerConfig `yaml:"brokers"`
	Journal  journalConfig  `yaml:"journal"`
	Influx   influxConfig   `yaml:"influx"`
	Database databaseConfig `yaml:"database"`
	Ledger   ledgerConfig   `yaml:"ledger"`
	Quality  qualityConfig  `yaml:"quality"`
	Photos   photosConfig   `yaml:"photos"`
	Alerts   alertsConfig   `yaml:"alerts"`
	Recalls  recallsConfig  `yaml:"recalls"`
	Packages packagesConfig `yaml:"packages"`
	Log      logConfig      `yaml:"log"`
}

type httpConfig struct {
	Addr      string `yaml:"addr"`       // default ":8080"
	PublicURL string `yaml:"public_url"` // what codes and labels point at; an address of this machine in its own network when empty

	MetricsAddr string `yaml:"metrics_addr"` // of /metrics alone, without a login, for a Prometheus on another machine; none by default

	Proxies         []netip.Prefix `yaml:"proxies"`         // in front of this server, by default this machine; X-Forwarded-For and the headers below count from there alone
	RegionHeader    string         `yaml:"region_header"`   // with the place of who looks at a code: 45, CN-GX or VN; none by default
	LatitudeHeader  string         `yaml:"latitude_header"` // of the same, in degrees; it is kept in half degrees
	LongitudeHeader string         `yaml:"longitude_header"`
}

// doors says who stands in front of this server.
func (c httpConfig) doors() scan.Doors {
	return scan.Doors{Proxies: c.Proxies, Region: c.RegionHeader, Latitude: c.LatitudeHeader, Longitude: c.LongitudeHeader}
}

type mqttConfig struct {
	Addr         string `yaml:"addr"`     // of the embedded broker; default ":1883"
	TLSAddr      string `yaml:"tls_addr"` // of the embedded broker with TLS; none by default
	CertFile     string `yaml:"cert_file"`
	KeyFile      string `yaml:"key_file"`
	ClientCAFile string `yaml:"client_ca_file"` // PEM; authorities whose certificates stand in for devices' secrets
	ClientCert   string `yaml:"client_cert"`    // optional (default) or required, where client_ca_file is set
	URL          string `yaml:"url"`            // of an outside broker: tcp://host:1883 or tls://host:8883
	ClientID     string `yaml:"client_id"`      // at the outside broker; default "tianhai"
	Username     string `yaml:"username"`
	Password     secret `yaml:"password"`
	PasswordFile string `yaml:"password_file"`
	CAFile       string `yaml:"ca_file"`      // PEM; the system's roots when empty
	SharedGroup  string `yaml:"shared_group"` // subscribe as $share/{group}/…, for several servers at one broker
}

// Whether the embedded broker lets in a device without a certificate, over TLS.
const (
	certOptional = "optional"
	certRequired = "required"
)

type journalConfig struct {
	URL        string   `yaml:"url"`        // of an outside NATS server; may hold no password, use creds_file
	CredsFile  string   `yaml:"creds_file"` // NATS credentials
	Partitions int      `yaml:"partitions"` // default 4; fixed once the journal exists
	MaxBytes   int64    `yaml:"max_bytes"`  // default 4 GiB
	Sync       duration `yaml:"sync"`       // how often files are forced to disk; default 1s
	SyncAlways bool     `yaml:"sync_always"`
}

type influxConfig struct {
	Addr      string `yaml:"addr"` // of the embedded server; loopback; default "127.0.0.1:8086"
	URL       string `yaml:"url"`  // of an outside InfluxDB
	Token     secret `yaml:"token"`
	TokenFile string `yaml:"token_file"`
	Org       string `yaml:"org"`
	Bucket    string `yaml:"bucket"` // default "tianhai"
}

type databaseConfig struct {
	URL     secret `yaml:"url"` // postgres://…; SQLite in the data directory when empty
	URLFile string `yaml:"url_file"`
}

type ledgerConfig struct {
	Origin    string          `yaml:"origin"`    // the log's name in checkpoints; fixed once the log exists; default "tianhai.local/log"
	Witnesses []witnessConfig `yaml:"witnesses"` // asked to cosign every checkpoint
	Quorum    int             `yaml:"quorum"`    // how many of them make a receipt a cosigned one; none by default
}

type witnessConfig struct {
	VerifierKey string `yaml:"vkey"` // as tianhai witness prints it
	URL         string `yaml:"url"`  // what add-checkpoint is below
}

type qualityConfig struct {
	Tests string `yaml:"tests"` // file of QARTOD tests; the built-in ones when empty
}

type photosConfig struct {
	Quota int64 `yaml:"quota"` // bytes of pictures that one tenant may have; default 10 GiB
}

type recallsConfig struct {
	// PrivateHooks lets the webhooks of tenants lead into private networks.
	PrivateHooks bool `yaml:"private_hooks"`
}

// minPlatformSecret is how many bytes a secret has at least that packages are signed with.
const minPlatformSecret = 16

type packagesConfig struct {
	Platform webhookConfig `yaml:"platform"` // where packages are handed over
}

type alertsConfig struct {
	Rules   string        `yaml:"rules"` // file; the built-in rules when empty
	Webhook webhookConfig `yaml:"webhook"`
}

type webhookConfig struct {
	URL        secret `yaml:"url"` // such addresses often hold a key
	URLFile    string `yaml:"url_file"`
	Secret     secret `yaml:"secret"` // signs the body
	SecretFile string `yaml:"secret_file"`
}

type logConfig struct {
	Level string `yaml:"level"` // debug, info (default), warn, error
	JSON  bool   `yaml:"json"`
}

// A secret is never printed.
type secret string

func (s secret) String() string {
	if s == "" {
		return ""
	}
	return "<secret>"
}

// GoString keeps %#v from printing it either.
func (s secret) GoString() string { return s.String() }

// MarshalYAML keeps it out of configurations that are written out.
func (s secret) MarshalYAML() (any, error) { return s.String(), nil }

// A duration is written as Go writes it: 500ms, 90s, 2h30m.
type duration time.Duration

// UnmarshalYAML says where a bad duration stands, which the library does not.
func (d *duration) UnmarshalYAML(n ast.Node) error {
	v, err := time.ParseDuration(n.GetToken().Value)
	if err != nil {
		return &yaml.SyntaxError{Message: fmt.Sprintf("%q is not a duration such as 500ms, 90s or 2h30m", n.GetToken().Value), Token: n.GetToken()}
	}
	*d = duration(v)
	return nil
}

const envPrefix = "TIANHAI_"

// loadConfig reads the file, which may be "" for none, then the environment,
// then secrets kept in files of their own. Whatever it does not understand is an
// error that names the key.
func loadConfig(file string, environ []string) (config, error) {
	var c config
	if file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return c, fmt.Errorf("read configuration: %w", err)
		}
		if err := parseStrict(raw, &c); err != nil {
			return c, fmt.Errorf("configuration %s: %w", file, err)
		}
	}
	if err := applyEnviron(&c, environ); err != nil {
		return c, err
	}
	if err := readSecretFiles(reflect.ValueOf(&c).Elem(), ""); err != nil {
		return c, err
	}
	c.setDefaults()
	return c, c.check()
}

// parseStrict refuses what it does not know and says where it stands. What stands below
// a line of --- would be another document, and is refused too: it would not be read.
func parseStrict(raw []byte, into any) error {
	err := yaml.UnmarshalWithOptions(raw, into, yaml.Strict())
	if err == nil {
		return checkOneDocument(raw)
	}
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return err
	}
	pos := at.GetToken().Position
	return fmt.Errorf("line %d: %s: %s", pos.Line, keyAt(raw, pos.Line, pos.Column), at.GetMessage())
}

func checkOneDocument(raw []byte) error {
	begun := false
	for _, t := range lexer.Tokenize(string(raw)) {
		if begun && t.Type == token.DocumentHeaderType {
			return fmt.Errorf("line %d: a second document begins; only one is read", t.Position.Line)
		}
		begun = begun || t.Type != token.CommentType
	}
	return nil
}

// keyAt returns the path of the key that stands at, or holds what stands at, a
// position of a YAML document.
func keyAt(raw []byte, line, column int) string {
	file, err := parser.ParseBytes(raw, 0)
	if err != nil || len(file.Docs) == 0 {
		return "syntax"
	}
	f := &keyFinder{line: line, column: column}
	ast.Walk(f, file.Docs[0])
	return strings.TrimPrefix(strings.TrimPrefix(f.path, "$"), ".")
}

type keyFinder struct {
	line, column int
	nearest      int // column of what was found so far
	path         string
}

func (f *keyFinder) Visit(n ast.Node) ast.Visitor {
	if n == nil {
		return nil
	}
	pos := n.GetToken().Position
	if pos.Line != f.line || pos.Column > f.column || pos.Column < f.nearest {
		return f
	}
	if path := n.GetPath(); pos.Column > f.nearest || len(path) > len(f.path) {
		f.nearest, f.path = pos.Column, path
	}
	return f
}

// environKeys maps every environment variable that is read to its field.
func environKeys(c *config) map[string]reflect.Value {
	keys := map[string]reflect.Value{}
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		for i := range v.NumField() {
			key := v.Type().Field(i).Tag.Get("yaml")
			if f := v.Field(i); f.Kind() == reflect.Struct {
				walk(f, path+key+"_")
			} else {
				keys[envPrefix+strings.ToUpper(path+key)] = f
			}
		}
	}
	walk(reflect.ValueOf(c).Elem(), "")
	return keys
}

func applyEnviron(c *config, environ []string) error {
	keys := environKeys(c)
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, envPrefix) {
			continue
		}
		field, known := keys[name]
		switch {
		case !known:
			return fmt.Errorf("environment: %s is no setting of tianhai", name)
		case field.Kind() == reflect.Slice:
			field.SetZero()
			if err := parseStrict([]byte(value), field.Addr().Interface()); err != nil {
				return fmt.Errorf("environment: %s: %w", name, err)
			}
		case field.Kind() == reflect.String:
			field.SetString(value)
		default:
			if err := yaml.Unmarshal([]byte(value), field.Addr().Interface()); err != nil {
				return fmt.Errorf("environment: %s: %q is not a %s", name, value, field.Type())
			}
		}
	}
	return nil
}

// readSecretFiles fills every X that is empty from the file that X_file names.
func readSecretFiles(v reflect.Value, path string) error {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key := path + field.Tag.Get("yaml")
		if field.Type.Kind() == reflect.Struct {
			if err := readSecretFiles(v.Field(i), key+"."); err != nil {
				return err
			}
			continue
		}
		if field.Type.Kind() == reflect.Slice && field.Type.Elem().Kind() == reflect.Struct {
			for j := range v.Field(i).Len() {
				if err := readSecretFiles(v.Field(i).Index(j), fmt.Sprintf("%s[%d].", key, j)); err != nil {
					return err
				}
			}
			continue
		}
		if field.Type != reflect.TypeFor[secret]() {
			continue
		}
		from := v.FieldByName(field.Name + "File")
		if !from.IsValid() || from.String() == "" {
			continue
		}
		if v.Field(i).String() != "" {
			return fmt.Errorf("%s and %s_file are both set; set one", key, key)
		}
		raw, err := os.ReadFile(from.String())
		if err != nil {
			return fmt.Errorf("%s_file: %w", key, err)
		}
		v.Field(i).SetString(strings.TrimSpace(string(raw)))
	}
	return nil
}

func (c *config) setDefaults() {
	for field, value := range map[*string]string{
		&c.Data:          "data",
		&c.HTTP.Addr:     ":8080",
		&c.MQTT.Addr:     ":1883",
		&c.MQTT.ClientID: "tianhai",
		&c.Influx.Addr:   "127.0.0.1:8086",
		&c.Influx.Bucket: "tianhai",
		&c.Ledger.Origin: "tianhai.local/log",
		&c.Log.Level:     "info",
	} {
		if *field == "" {
			*field = value
		}
	}
	if c.HTTP.Proxies == nil {
		c.HTTP.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	for i := range c.Brokers {
		c.Brokers[i].setDefaults()
	}
}

// check reports the first value that cannot work, by its key.
func (c *config) check() error {
	for key, addr := range map[string]string{"http.addr": c.HTTP.Addr, "http.metrics_addr": c.HTTP.MetricsAddr, "mqtt.addr": c.MQTT.Addr, "mqtt.tls_addr": c.MQTT.TLSAddr, "influx.addr": c.Influx.Addr} {
		if addr == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("%s: %q is not host:port, such as 127.0.0.1:8080 or :8080", key, addr)
		}
	}
	for _, u := range []struct {
		key, value string
		schemes    []string
	}{
		{"http.public_url", c.HTTP.PublicURL, []string{"http", "https"}},
		{"mqtt.url", c.MQTT.URL, brokerSchemes()},
		{"journal.url", c.Journal.URL, []string{"nats", "tls"}},
		{"influx.url", c.Influx.URL, []string{"http", "https"}},
		{"database.url", string(c.Database.URL), []string{"postgres", "postgresql"}},
		{"alerts.webhook.url", string(c.Alerts.Webhook.URL), []string{"http", "https"}},
		{"packages.platform.url", string(c.Packages.Platform.URL), []string{"http", "https"}},
	} {
		if err := checkURL(u.value, u.schemes); err != nil {
			return fmt.Errorf("%s: %w", u.key, err)
		}
	}
	if err := c.checkBrokers(); err != nil {
		return err
	}
	if err := c.checkLedger(); err != nil {
		return err
	}
	if c.MQTT.TLSAddr != "" && (c.MQTT.CertFile == "" || c.MQTT.KeyFile == "") {
		return errors.New("mqtt.tls_addr needs mqtt.cert_file and mqtt.key_file")
	}
	if c.MQTT.ClientCAFile != "" && c.MQTT.TLSAddr == "" {
		return errors.New("mqtt.client_ca_file needs mqtt.tls_addr")
	}
	if !slices.Contains([]string{"", certOptional, certRequired}, c.MQTT.ClientCert) {
		return fmt.Errorf("mqtt.client_cert: %q is neither %s nor %s", c.MQTT.ClientCert, certOptional, certRequired)
	}
	if c.Journal.Partitions < 0 || c.Journal.Partitions > 64 {
		return fmt.Errorf("journal.partitions: %d is not 1 to 64", c.Journal.Partitions)
	}
	if c.Journal.MaxBytes < 0 || c.Journal.MaxBytes > 0 && c.Journal.MaxBytes < 16<<20 {
		return fmt.Errorf("journal.max_bytes: %d is less than 16 MiB", c.Journal.MaxBytes)
	}
	if c.Photos.Quota < 0 || c.Photos.Quota > 0 && c.Photos.Quota < photo.MaxBytes {
		return fmt.Errorf("photos.quota: %d is less than one picture, %d", c.Photos.Quota, photo.MaxBytes)
	}
	if to := c.Packages.Platform; to.URL != "" && len(to.Secret) < minPlatformSecret {
		return fmt.Errorf("packages.platform.secret: fewer than %d bytes", minPlatformSecret)
	}
	if c.Journal.Sync < 0 {
		return fmt.Errorf("journal.sync: %v is negative", time.Duration(c.Journal.Sync))
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		return fmt.Errorf("log.level: %q is not debug, info, warn or error", c.Log.Level)
	}
	return nil
}

// checkURL does not repeat the value, which may hold a password.
func checkURL(value string, schemes []string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" {
		return fmt.Errorf("not a URL that begins with %s://", strings.Join(schemes, ":// or "))
	}
	return nil
}

func (c *config) path(name string) string { return filepath.Join(c.Data, name) }
