{{ if false }}{{ nosuch 1 }}{{ end }}
