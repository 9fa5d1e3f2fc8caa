#!/usr/bin/env bash
# Builds the real programs that the conformance, corpus and e2e tests hold Capstan against, into a cache outside the checkout.
#
#   tests/oracles/build.sh [helm|etcd|kubernetes|registry]...      (default: all; needs Go and the Go module proxy)
#
# The cache is $CAPSTAN_ORACLES, by default ~/.cache/capstan/oracles. Versions are pinned by the go.mod beside each program;
# a stamp of what is in that folder and of this script says whether a program has to be built again.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${CAPSTAN_ORACLES:-$HOME/.cache/capstan/oracles}
mkdir -p "$cache"

build() { # build <module folder> <output name> <package> [ldflags]
    local module=$1 name=$2 package=$3 ldflags=${4:-}
    local stamp
    stamp=$(find "$here/$module" "$here/build.sh" -type f -print0 | LC_ALL=C sort -z | xargs -0 cat | sha256sum | cut -d' ' -f1)
    if [ -x "$cache/$name" ] && [ "$(cat "$cache/$name.stamp" 2>/dev/null)" = "$stamp" ]; then
        echo "oracle $name: up to date"
        return
    fi
    echo "oracle $name: building"
    (cd "$here/$module" && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w $ldflags" -o "$cache/$name.new" "$package")
    mv "$cache/$name.new" "$cache/$name"
    echo "$stamp" >"$cache/$name.stamp"
}

kubernetes_version="-X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
[ $# -gt 0 ] || set -- helm etcd kubernetes registry
for program in "$@"; do
    case $program in
    helm)
        build helm helm-render ./render "-X helm.sh/helm/v4/internal/version.version=v4.2.3"
        build helm helm helm.sh/helm/v4/cmd/helm "-X helm.sh/helm/v4/internal/version.version=v4.2.3"
        ;;
    etcd) build etcd etcd go.etcd.io/etcd/server/v3 ;;
    kubernetes)
        build kubernetes kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver "$kubernetes_version"
        build kubernetes kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager "$kubernetes_version"
        ;;
    registry) build registry registry . ;;
    *)
        echo "unknown oracle $program (helm, etcd, kubernetes, registry)" >&2
        exit 2
        ;;
    esac
done
