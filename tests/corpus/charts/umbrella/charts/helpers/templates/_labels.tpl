{{- define "helpers.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
domain: {{ (.Values.global).domain }}
{{- range $k, $v := (.Values.global).labels }}
{{ $k }}: {{ $v | quote }}
{{- end }}
{{- end }}
