{{- /* Where the data lives: the dependency mariadb, or a database of the user's own. */ -}}
{{- define "wordpress.mariadb" -}}
{{- $chart := dict "Name" "mariadb" -}}
{{- include "mariadb.fullname" (dict "Values" .Values.mariadb "Chart" $chart "Release" .Release) -}}
{{- end -}}

{{- define "wordpress.databaseHost" -}}
{{- if .Values.mariadb.enabled -}}
{{- include "wordpress.mariadb" . -}}
{{- else -}}
{{- required "set externalDatabase.host, or mariadb.enabled=true" .Values.externalDatabase.host -}}
{{- end -}}
{{- end -}}

{{- define "wordpress.databaseName" -}}
{{- ternary .Values.mariadb.auth.database .Values.externalDatabase.database .Values.mariadb.enabled -}}
{{- end -}}

{{- define "wordpress.databaseUser" -}}
{{- ternary .Values.mariadb.auth.username .Values.externalDatabase.username .Values.mariadb.enabled -}}
{{- end -}}

{{- define "wordpress.databaseSecret" -}}
{{- if .Values.mariadb.enabled -}}
{{- .Values.mariadb.auth.existingSecret | default (include "wordpress.mariadb" .) -}}
{{- else -}}
{{- required "set externalDatabase.existingSecret, or mariadb.enabled=true" .Values.externalDatabase.existingSecret -}}
{{- end -}}
{{- end -}}
