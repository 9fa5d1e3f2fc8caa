{{- define "shared.name" -}}from-umbrella-{{ .Chart.Name }}{{- end }}
