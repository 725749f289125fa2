{{- define "bac-hub.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "bac-hub.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "bac-hub.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "bac-hub.secret" -}}
{{ .Values.secret.existing | default (include "bac-hub.name" .) }}
{{- end }}

{{- define "bac-hub.secretEnv" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ include "bac-hub.secret" .root }}
      key: {{ .key }}
{{- end }}

{{/* ConfigMap with the company's own model files; empty: there are none. */}}
{{- define "bac-hub.model" -}}
{{- if .Values.model.configMap }}{{ .Values.model.configMap }}{{ else if .Values.model.files }}{{ include "bac-hub.name" . }}-model{{ end }}
{{- end }}

{{/*
A deployment of one role. Arguments: root, role, name (of the deployment), track (stable | canary), tag,
replicas (null: left to an autoscaler), strategy.
*/}}
{{- define "bac-hub.deployment" -}}
{{- $values := index .root.Values .role }}
{{- $port := ternary 7400 7480 (eq .role "api") }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  labels:
    {{- include "bac-hub.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
    bac-hub/track: {{ .track }}
spec:
  {{- if not (kindIs "invalid" .replicas) }}
  replicas: {{ .replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  progressDeadlineSeconds: 300
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: {{ .surge }}
      maxUnavailable: {{ .unavailable }}
  selector:
    matchLabels:
      {{- include "bac-hub.selector" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .role }}
      bac-hub/track: {{ .track }}
  template:
    metadata:
      labels:
        {{- include "bac-hub.labels" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .role }}
        bac-hub/track: {{ .track }}
      annotations:
        # A change of the configuration or of a secret made here is a new rollout.
        checksum/config: {{ include (print .root.Template.BasePath "/configmap.yaml") .root | sha256sum }}
        checksum/secret: {{ .root.Values.secret | toJson | sha256sum }}
        {{- with .root.Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "bac-hub.name" .root }}
      automountServiceAccountToken: false
      # Variables of services begin with the release's name: BAC_... ones would be taken for settings.
      enableServiceLinks: false
      terminationGracePeriodSeconds: 30
      {{- with .root.Values.pullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 1000
        runAsGroup: 1000
        fsGroup: 1000
        seccompProfile:
          type: RuntimeDefault
      topologySpreadConstraints:
        {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
        - maxSkew: 1
          topologyKey: {{ $key }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "bac-hub.selector" $.root | nindent 14 }}
              app.kubernetes.io/component: {{ $.role }}
          matchLabelKeys: [pod-template-hash]
        {{- end }}
      {{- with .root.Values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .role }}
          image: {{ printf "%s:%s" .root.Values.image.repository .tag | quote }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: [up, --roles, {{ .role }}]
          env:
            - name: BAC_CONFIG
              value: /etc/bac-hub/bac.yaml
            {{- include "bac-hub.secretEnv" (dict "root" .root "variable" "BAC_POSTGRES_URL" "key" "postgres-url") | nindent 12 }}
            {{- include "bac-hub.secretEnv" (dict "root" .root "variable" "BAC_CLICKHOUSE_PASSWORD" "key" "clickhouse-password") | nindent 12 }}
            {{- if .root.Values.kafka.sasl }}
            {{- include "bac-hub.secretEnv" (dict "root" .root "variable" "BAC_KAFKA_SASL_USERNAME" "key" "kafka-username") | nindent 12 }}
            {{- include "bac-hub.secretEnv" (dict "root" .root "variable" "BAC_KAFKA_SASL_PASSWORD" "key" "kafka-password") | nindent 12 }}
            {{- end }}
            {{- if .root.Values.kafka.caSecret }}
            - name: BAC_KAFKA_TLS_CA_FILE
              value: /etc/bac-hub-kafka/ca.crt
            {{- end }}
            {{- if eq .role "api" }}
            - name: BAC_OWNER_KEY_FILE
              value: /etc/bac-hub-keys/owner-key
            - name: BAC_METRICS_KEY_FILE
              value: /etc/bac-hub-keys/metrics-key
            {{- if include "bac-hub.model" .root }}
            - name: BAC_SEMANTIC_MODEL_DIR
              value: /etc/bac-hub-model
            {{- end }}
            {{- if .root.Values.sql.tlsSecret }}
            - name: BAC_SQL_HOST
              value: 0.0.0.0
            - name: BAC_SQL_TLS_CERT_FILE
              value: /etc/bac-hub-sql/tls.crt
            - name: BAC_SQL_TLS_KEY_FILE
              value: /etc/bac-hub-sql/tls.key
            {{- end }}
            {{- end }}
          ports:
            - name: http
              containerPort: {{ $port }}
            {{- if and (eq .role "api") .root.Values.sql.tlsSecret }}
            - name: sql
              containerPort: 7433
            {{- end }}
          startupProbe:
            httpGet: { path: /healthz, port: http }
            periodSeconds: 3
            failureThreshold: 60
          livenessProbe:
            httpGet: { path: /healthz, port: http }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: { path: /readyz, port: http }
            periodSeconds: 5
            timeoutSeconds: 5
            failureThreshold: 3
          {{- if eq .role "api" }}
          lifecycle:
            # Time for proxies to learn that this pod goes, before it stops taking requests.
            preStop:
              sleep: { seconds: 5 }
          {{- end }}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
          volumeMounts:
            - name: config
              mountPath: /etc/bac-hub
              readOnly: true
            {{- if .root.Values.kafka.caSecret }}
            - name: kafka-ca
              mountPath: /etc/bac-hub-kafka
              readOnly: true
            {{- end }}
            {{- if eq .role "api" }}
            - name: keys
              mountPath: /etc/bac-hub-keys
              readOnly: true
            {{- if include "bac-hub.model" .root }}
            # The whole map and no single file of it: only so does a change reach the pod.
            - name: model
              mountPath: /etc/bac-hub-model
              readOnly: true
            {{- end }}
            {{- if .root.Values.sql.tlsSecret }}
            - name: sql-tls
              mountPath: /etc/bac-hub-sql
              readOnly: true
            {{- end }}
            {{- end }}
            - name: state
              mountPath: /var/lib/bac-hub
            - name: tmp
              mountPath: /tmp
      volumes:
        - name: config
          configMap:
            name: {{ include "bac-hub.name" .root }}
        {{- with .root.Values.kafka.caSecret }}
        - name: kafka-ca
          secret:
            secretName: {{ . }}
            items:
              - { key: ca.crt, path: ca.crt }
        {{- end }}
        {{- if eq .role "api" }}
        - name: keys
          secret:
            secretName: {{ include "bac-hub.secret" .root }}
            defaultMode: 0440
            items:
              - { key: owner-key, path: owner-key }
              - { key: metrics-key, path: metrics-key }
        {{- with include "bac-hub.model" .root }}
        - name: model
          configMap:
            name: {{ . }}
        {{- end }}
        {{- with .root.Values.sql.tlsSecret }}
        - name: sql-tls
          secret:
            secretName: {{ . }}
            defaultMode: 0440
            items:
              - { key: tls.crt, path: tls.crt }
              - { key: tls.key, path: tls.key }
        {{- end }}
        {{- end }}
        # Nothing in these outlives the pod: state is in the operational store, the log and the warehouse.
        - name: state
          emptyDir: { sizeLimit: 64Mi }
        - name: tmp
          emptyDir: { sizeLimit: 64Mi }
{{- end }}
