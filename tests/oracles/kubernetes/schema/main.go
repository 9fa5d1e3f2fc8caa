// Command schema writes the table of built-in types that capstan_model::schema reads: for every kind a running kube-apiserver
// publishes, the fields of its types with their Go types, and the merge facts of its OpenAPI v3 documents. Facts only, no texts.
//
//	kube-apiserver … &                      # as tests/oracles/README or the conformance test starts it
//	go run ./schema --server https://127.0.0.1:6443 --token admintoken > ../../../core/model/src/schema/table.txt
//
// With --protobuf it writes the field numbers of those types instead, which capstan_sim decodes bodies by; no server is needed:
//
//	go run ./schema --protobuf ../../../core/model/src/schema/table.txt > ../../../sim/src/protobuf/table.txt
package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"reflect"
	"sort"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	aggregator "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

var (
	server = flag.String("server", "https://127.0.0.1:6443", "the API server to read")
	token  = flag.String("token", "admintoken", "bearer token")
	kinds  = flag.String("protobuf", "", "write field numbers for the kinds of this table of types instead")
)

// property is what OpenAPI says about a field or a type.
type property struct {
	Ref         string              `json:"$ref"`
	AllOf       []property          `json:"allOf"`
	Properties  map[string]property `json:"properties"`
	Required    []string            `json:"required"`
	Default     json.RawMessage     `json:"default"`
	Items       *property           `json:"items"`
	Kinds       []kind              `json:"x-kubernetes-group-version-kind"`
	ListType    string              `json:"x-kubernetes-list-type"`
	ListMapKeys []string            `json:"x-kubernetes-list-map-keys"`
	MapType     string              `json:"x-kubernetes-map-type"`
	MergeKey    string              `json:"x-kubernetes-patch-merge-key"`
	Strategy    string              `json:"x-kubernetes-patch-strategy"`
}

type kind struct{ Group, Version, Kind string }

// scalars are types with a JSON form of their own.
var scalars = map[string]string{
	"meta.v1.Time": "time", "meta.v1.MicroTime": "microtime", "meta.v1.Duration": "duration", "meta.v1.FieldsV1": "any",
	"api.resource.Quantity": "quantity", "util.intstr.IntOrString": "intstr", "pkg.runtime.RawExtension": "any",
	"apiextensions.v1.JSON": "any", "apiextensions.v1.JSONSchemaProps": "any", "runtime.Object": "any",
}

func get(path string) []byte {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	request, err := http.NewRequest("GET", *server+path, nil)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+*token)
	response, err := client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		log.Fatalf("GET %s: %s %v", path, response.Status, err)
	}
	return body
}

func decode[T any](body []byte) (value T) {
	if err := json.Unmarshal(body, &value); err != nil {
		log.Fatal(err)
	}
	return
}

// documents reads every type the server publishes, by its full name.
func documents() map[string]property {
	index := decode[struct {
		Paths map[string]struct{ ServerRelativeURL string }
	}](get("/openapi/v3"))
	all := map[string]property{}
	for path, at := range index.Paths {
		if !strings.HasPrefix(path, "api") {
			continue
		}
		document := decode[struct {
			Components struct{ Schemas map[string]property }
		}](get(at.ServerRelativeURL))
		for name, p := range document.Components.Schemas {
			all[name] = p
		}
	}
	return all
}

// short is the last three parts of a full name: apps.v1.Deployment.
func short(full string) string {
	parts := strings.Split(full, ".")
	if len(parts) > 3 {
		parts = parts[len(parts)-3:]
	}
	return strings.Join(parts, ".")
}

func fullName(t reflect.Type) string {
	if named, ok := reflect.New(t).Interface().(interface{ OpenAPIModelName() string }); ok {
		return named.OpenAPIModelName()
	}
	path := strings.Split(t.PkgPath(), "/")
	if host := strings.Split(path[0], "."); len(host) > 1 {
		for i, j := 0, len(host)-1; i < j; i, j = i+1, j-1 {
			host[i], host[j] = host[j], host[i]
		}
		path[0] = strings.Join(host, ".")
	}
	return strings.Join(append(path, t.Name()), ".")
}

type writer struct {
	out   *bufio.Writer
	docs  map[string]property
	queue []reflect.Type
	seen  map[string]bool
}

// typeName is the type as the table writes it; structs it meets are queued.
func (w *writer) typeName(t reflect.Type) string {
	if scalar, ok := scalars[short(fullName(t))]; ok && t.Name() != "" {
		return scalar
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + w.typeName(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[]" + w.typeName(t.Elem())
	case reflect.Map:
		return "{}" + w.typeName(t.Elem())
	case reflect.Struct:
		name := short(fullName(t))
		if strings.HasPrefix(t.Name(), "JSONSchemaPropsOr") {
			return "any"
		}
		if !w.seen[name] {
			w.seen[name] = true
			w.queue = append(w.queue, t)
		}
		return name
	case reflect.Interface:
		return "any"
	case reflect.String, reflect.Bool, reflect.Int32, reflect.Int64, reflect.Float64:
		if t.PkgPath() != "" {
			return t.Kind().String() + "/" + t.String()
		}
		return t.Kind().String()
	}
	log.Fatalf("a type of a kind the table does not know: %s", t)
	return ""
}

func (w *writer) fields(t reflect.Type, doc property) {
	for i := 0; i < t.NumField(); i++ {
		field := t.Field(i)
		tag := strings.Split(field.Tag.Get("json"), ",")
		if tag[0] == "-" || (tag[0] == "" && !field.Anonymous) {
			continue
		}
		if tag[0] == "" {
			embedded := field.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			w.fields(embedded, doc)
			continue
		}
		w.field(tag, field.Type, doc)
	}
}

func (w *writer) field(tag []string, t reflect.Type, doc property) {
	fmt.Fprintf(w.out, " %s %s", tag[0], w.typeName(t))
	omit := false
	for _, option := range tag[1:] {
		omit = omit || option == "omitempty" && t.Kind() != reflect.Struct || option == "omitzero"
	}
	if !omit {
		fmt.Fprint(w.out, " !")
	}
	p := doc.Properties[tag[0]]
	for _, required := range doc.Required {
		if required == tag[0] {
			fmt.Fprint(w.out, " r")
		}
	}
	switch {
	case p.ListType == "map":
		fmt.Fprintf(w.out, " m:%s", strings.Join(p.ListMapKeys, ","))
	case p.ListType == "set":
		fmt.Fprint(w.out, " s")
	case p.ListType == "atomic" || p.MapType == "atomic":
		fmt.Fprint(w.out, " a")
	}
	if p.MergeKey != "" {
		fmt.Fprintf(w.out, " k:%s", p.MergeKey)
	}
	if p.Strategy != "" {
		fmt.Fprintf(w.out, " p:%s", p.Strategy)
	}
	if d := string(p.Default); d != "" && d != "{}" && d != `""` && d != "0" && d != "false" {
		fmt.Fprintf(w.out, " d:%s", d)
	}
	fmt.Fprintln(w.out)
}

func main() {
	flag.Parse()
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensions.AddToScheme, aggregator.AddToScheme} {
		if err := add(types); err != nil {
			log.Fatal(err)
		}
	}
	if *kinds != "" {
		protobuf(types, *kinds)
		return
	}
	w := &writer{out: bufio.NewWriter(os.Stdout), docs: documents(), seen: map[string]bool{}}
	defer w.out.Flush()
	fmt.Fprintln(w.out, "# Generated by tests/oracles/kubernetes/schema from kube-apiserver "+version()+": kinds, types and their fields. Format: capstan_model::schema.")
	names := make([]string, 0, len(w.docs))
	for name := range w.docs {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		for _, k := range w.docs[name].Kinds {
			t, ok := types.AllKnownTypes()[schema.GroupVersionKind(k)]
			if !ok || strings.HasSuffix(k.Kind, "List") || strings.HasPrefix(short(name), "meta.") || strings.HasPrefix(k.Version, "__") {
				continue
			}
			group := strings.TrimPrefix(k.Group+"/"+k.Version, "/")
			fmt.Fprintf(w.out, "K %s %s %s\n", group, k.Kind, w.typeName(t))
		}
	}
	for len(w.queue) > 0 {
		t := w.queue[0]
		w.queue = w.queue[1:]
		doc := w.docs[fullName(t)]
		fmt.Fprintf(w.out, "T %s", short(fullName(t)))
		if doc.MapType == "atomic" {
			fmt.Fprint(w.out, " a")
		}
		fmt.Fprintln(w.out)
		w.fields(t, doc)
	}
}

func version() string {
	return decode[struct{ GitVersion string }](get("/version")).GitVersion
}
