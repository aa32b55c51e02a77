{{- /* The name of every object: fullnameOverride, or the release's name, and the chart's if that does not say it. */ -}}
{{- define "wordpress.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "wordpress.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "wordpress.labels" -}}
{{ include "wordpress.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* The keys that sign cookies: what the cluster already holds, else a new one, so that an
       upgrade logs nobody out. */ -}}
{{- define "wordpress.salt" -}}
{{- $root := index . 0 -}}{{- $key := index . 1 -}}
{{- $held := (lookup "v1" "Secret" $root.Release.Namespace (include "wordpress.fullname" $root)).data | default dict -}}
{{- if hasKey $held $key -}}
{{- get $held $key -}}
{{- else -}}
{{- randAlphaNum 64 | b64enc -}}
{{- end -}}
{{- end -}}

{{- define "wordpress.saltNames" -}}
auth-key secure-auth-key logged-in-key nonce-key auth-salt secure-auth-salt logged-in-salt nonce-salt
{{- end -}}
