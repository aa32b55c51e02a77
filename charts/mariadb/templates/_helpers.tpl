{{- /* The name of every object: fullnameOverride, or the release's name and the chart's. */ -}}
{{- define "mariadb.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "mariadb.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "mariadb.labels" -}}
{{ include "mariadb.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "mariadb.secretName" -}}
{{- .Values.auth.existingSecret | default (include "mariadb.fullname" .) -}}
{{- end -}}

{{- /* A password that stays: the value given, else what the cluster already holds, else a new one.
       Takes a list: root context, key in the Secret, value given. */ -}}
{{- define "mariadb.password" -}}
{{- $root := index . 0 -}}{{- $key := index . 1 -}}{{- $given := index . 2 -}}
{{- $held := (lookup "v1" "Secret" $root.Release.Namespace (include "mariadb.secretName" $root)).data | default dict -}}
{{- if $given -}}
{{- $given | b64enc -}}
{{- else if hasKey $held $key -}}
{{- get $held $key -}}
{{- else -}}
{{- randAlphaNum 24 | b64enc -}}
{{- end -}}
{{- end -}}
