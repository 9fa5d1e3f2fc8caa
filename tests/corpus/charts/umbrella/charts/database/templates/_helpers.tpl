{{- define "database.name" -}}{{ .Release.Name }}-{{ .Values.storage | default "none" }}{{- end }}
{{- define "shared.name" -}}from-database{{- end }}
