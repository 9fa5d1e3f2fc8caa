{{- define "down" }}{{ if gt (int .) 0 }}{{ include "up" (sub . 1) }}{{ else }}bottom{{ end }}{{ end }}
{{- define "up" }}{{ include "down" . }}{{ end }}
{{- define "plain" }}{{ if gt (int .) 0 }}{{ template "plain" (sub . 1) }}{{ else }}bottom{{ end }}{{ end }}
{{- define "tpls" }}{{ if gt (int .n) 0 }}{{ tpl .text (dict "n" (sub .n 1) "text" .text "Template" .Template) }}{{ else }}bottom{{ end }}{{ end }}
