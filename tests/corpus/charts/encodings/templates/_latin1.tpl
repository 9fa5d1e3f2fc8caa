{{/* café */}}{{ define "encodings.name" }}cafe{{ end }}{{ define "unused" }}café{{ end }}
