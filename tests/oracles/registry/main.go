// A registry in memory on a loopback port: go-containerregistry's handler, with the two ways of authentication that registries have.
//
//	registry [-user U -password P] [-tokens]
//
// Prints its address as its first line. With -tokens, credentials are not taken by the registry itself but by /token, as in the
// distribution specification's token authentication.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	user := flag.String("user", "", "user that may read and write; everybody when empty")
	password := flag.String("password", "", "the user's password")
	tokens := flag.Bool("tokens", false, "give out tokens at /token")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	address := listener.Addr().String()
	fmt.Println(address)
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	guard := &guard{inner: inner, user: *user, password: *password, tokens: *tokens, address: address, issued: map[string]string{}}
	log.Fatal(http.Serve(listener, guard))
}

type guard struct {
	inner                   http.Handler
	user, password, address string
	tokens                  bool
	lock                    sync.Mutex
	issued                  map[string]string // token to scope
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, password, _ := r.BasicAuth()
	known := g.user == "" || (name == g.user && password == g.password)
	if g.tokens && r.URL.Path == "/token" {
		g.issue(w, r, known)
		return
	}
	if g.tokens {
		known = g.holds(r)
	}
	if known {
		g.inner.ServeHTTP(w, r)
		return
	}
	challenge := `Basic realm="registry"`
	if g.tokens {
		challenge = fmt.Sprintf(`Bearer realm="http://%s/token",service="capstan-test",scope="%s"`, g.address, scope(r))
	}
	w.Header().Set("WWW-Authenticate", challenge)
	http.Error(w, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
}

func (g *guard) issue(w http.ResponseWriter, r *http.Request, known bool) {
	if !known {
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	}
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		log.Fatal(err)
	}
	token := hex.EncodeToString(random)
	g.lock.Lock()
	g.issued[token] = strings.Join(r.URL.Query()["scope"], " ")
	g.lock.Unlock()
	json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_in": 300})
}

func (g *guard) holds(r *http.Request) bool {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	g.lock.Lock()
	defer g.lock.Unlock()
	granted, issued := g.issued[token]
	return found && issued && (scope(r) == "" || strings.Contains(granted, strings.TrimSuffix(scope(r), ":pull")))
}

// The scope that a request needs: /v2/<name>/{manifests,blobs,tags}/…
func scope(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	for _, kind := range []string{"/manifests/", "/blobs/", "/tags/"} {
		if name, _, found := strings.Cut(path, kind); found {
			action := "pull"
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				action = "pull,push"
			}
			return "repository:" + name + ":" + action
		}
	}
	return ""
}
