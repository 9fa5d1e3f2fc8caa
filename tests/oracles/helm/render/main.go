// Renders charts with the real Helm, many in one process: one JSON request a line in, one JSON answer a line out.
//
// `helm template` prints only what becomes manifests, sorted and trimmed; a differential test wants the text of every template as the
// engine made it. So each request goes two ways: through the install action as `helm template` runs it (which decides whether it fails,
// and with what message), and through the engine alone (which gives the files), the latter twice, so that what varies between two runs
// of Helm itself is known.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"helm.sh/helm/v4/pkg/action"
	chart "helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/cli/values"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/getter"
	release "helm.sh/helm/v4/pkg/release/v1"
)

type request struct {
	Chart       string   `json:"chart"`
	Values      []string `json:"values"`
	Set         []string `json:"set"`
	SetString   []string `json:"setString"`
	SetJSON     []string `json:"setJson"`
	SetLiteral  []string `json:"setLiteral"`
	Name        string   `json:"name"`
	Namespace   string   `json:"namespace"`
	KubeVersion string   `json:"kubeVersion"`
	APIVersions []string `json:"apiVersions"`
	IncludeCRDs bool     `json:"includeCrds"`
}

type answer struct {
	// Text of every template, by Helm's name of it.
	Files map[string]string `json:"files"`
	// Names of the files that a second run rendered differently.
	Varying []string `json:"varying"`
	// What `helm template` prints, without hooks.
	Manifest string `json:"manifest"`
	// Why it fails; empty when it does not.
	Error string `json:"error"`
}

func main() {
	requests := bufio.NewReaderSize(os.Stdin, 1<<20)
	answers := bufio.NewWriter(os.Stdout)
	for {
		line, err := requests.ReadBytes('\n')
		if len(line) > 0 {
			var asked request
			var given answer
			if failed := json.Unmarshal(line, &asked); failed != nil {
				given.Error = "request: " + failed.Error()
			} else {
				given = render(&asked)
			}
			text, _ := json.Marshal(given)
			answers.Write(append(text, '\n'))
			answers.Flush()
		}
		if err != nil {
			return
		}
	}
}

func render(asked *request) (given answer) {
	defer func() {
		if panicked := recover(); panicked != nil {
			given = answer{Error: fmt.Sprintf("helm panics: %v", panicked)}
		}
	}()
	rel, err := install(asked)
	if err != nil {
		return answer{Error: err.Error()}
	}
	given.Manifest = rel.Manifest
	if given.Files, err = files(asked); err != nil {
		return answer{Error: "engine: " + err.Error()}
	}
	again, err := files(asked)
	for name, text := range given.Files {
		if err != nil || again[name] != text {
			given.Varying = append(given.Varying, name)
		}
	}
	return given
}

// Everything a render needs, loaded anew, since dependencies that are switched off are taken out of the loaded chart.
func load(asked *request) (chart.Charter, map[string]any, error) {
	settings := cli.New()
	options := values.Options{
		ValueFiles: asked.Values, Values: asked.Set, StringValues: asked.SetString,
		JSONValues: asked.SetJSON, LiteralValues: asked.SetLiteral,
	}
	merged, err := options.MergeValues(getter.All(settings))
	if err != nil {
		return nil, nil, err
	}
	loaded, err := loader.Load(asked.Chart)
	if err != nil {
		return nil, nil, err
	}
	access, err := chart.NewAccessor(loaded)
	if err != nil {
		return nil, nil, err
	}
	if kind, _ := access.MetadataAsMap()["Type"].(string); kind != "" && kind != "application" {
		return nil, nil, fmt.Errorf("%s charts are not installable", kind)
	}
	if wanted := access.MetaDependencies(); len(wanted) > 0 {
		if err := action.CheckDependencies(loaded, wanted); err != nil {
			return nil, nil, fmt.Errorf("an error occurred while checking for chart dependencies. You may need to run `helm dependency build` to fetch missing dependencies: %w", err)
		}
	}
	return loaded, merged, nil
}

func version(asked *request) (*common.KubeVersion, error) {
	if asked.KubeVersion == "" {
		return nil, nil
	}
	return common.ParseKubeVersion(asked.KubeVersion)
}

func install(asked *request) (*release.Release, error) {
	client := action.NewInstall(action.NewConfiguration())
	kubeVersion, err := version(asked)
	if err != nil {
		return nil, fmt.Errorf("invalid kube version '%s': %w", asked.KubeVersion, err)
	}
	loaded, merged, err := load(asked)
	if err != nil {
		return nil, err
	}
	client.DryRunStrategy = action.DryRunClient
	client.ReleaseName, client.Namespace = asked.Name, asked.Namespace
	client.Replace = true
	client.KubeVersion = kubeVersion
	client.APIVersions = common.VersionSet(asked.APIVersions)
	client.IncludeCRDs = asked.IncludeCRDs
	rel, err := client.Run(loaded, merged)
	if err != nil {
		return nil, err
	}
	done, ok := rel.(*release.Release)
	if !ok {
		return nil, errors.New("no release of version 1")
	}
	return done, nil
}

func files(asked *request) (map[string]string, error) {
	loaded, merged, err := load(asked)
	if err != nil {
		return nil, err
	}
	root, ok := loaded.(*chartv2.Chart)
	if !ok {
		return nil, errors.New("no chart of version 2")
	}
	if err := chartutil.ProcessDependencies(root, merged); err != nil {
		return nil, err
	}
	capabilities := common.DefaultCapabilities.Copy()
	kubeVersion, err := version(asked)
	if err != nil {
		return nil, err
	}
	if kubeVersion != nil {
		capabilities.KubeVersion = *kubeVersion
	}
	capabilities.APIVersions = append(capabilities.APIVersions, asked.APIVersions...)
	options := common.ReleaseOptions{Name: asked.Name, Namespace: asked.Namespace, Revision: 1, IsInstall: true}
	top, err := util.ToRenderValues(root, merged, options, capabilities)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Engine{}.Render(root, top)
	if err != nil {
		return nil, err
	}
	for name := range rendered {
		if base := name[strings.LastIndex(name, "/")+1:]; strings.HasPrefix(base, "_") {
			delete(rendered, name)
		}
	}
	return rendered, nil
}
