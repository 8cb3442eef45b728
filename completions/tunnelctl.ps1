# Completion of tunnelctl for PowerShell, made from its command tree.
# To use it: tunnelctl completion powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName tunnelctl -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # What may follow each command, and each flag that takes one of a few words.
    $words = @{
        '' = @(
            @('connect', 'open local ports, or a pipe, to services in the cluster'),
            @('agent', 'run in the cluster: dials out, and reaches services from there'),
            @('gateway', 'run where both can reach it: relays between connect and agents'),
            @('open', 'open a service in your browser, through the ingress'),
            @('services', 'list the services that can be reached'),
            @('agents', 'list the agents that are connected'),
            @('up', 'open the forwards that tunnelctl.yaml lists'),
            @('ps', 'list what runs detached'),
            @('stop', 'end what runs detached'),
            @('logs', 'show what a detached connect has said'),
            @('doctor', 'find what is wrong between here and a service'),
            @('login', 'check a gateway and a token, and keep them'),
            @('context', 'list and change the gateways that you use'),
            @('config', 'show your configuration, and where each value is set'),
            @('token', 'make keys and tokens, and look into a token'),
            @('manifests', 'print the Kubernetes objects that install an agent or a gateway'),
            @('demo', 'see it all at work on this machine, in seconds'),
            @('completion', 'print a completion script for your shell'),
            @('-V', 'print the version'),
            @('--version', 'print the version'),
            @('--no-color', 'no colours, as with NO_COLOR; for every command'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'connect' = @(
            @('--gateway', 'the gateway to dial, as wss://gateway.example.com'),
            @('--token-file', 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'),
            @('--ca-file', 'PEM file of a private authority that signed the gateway''s certificate'),
            @('--tls-server-name', 'the name in the gateway''s certificate, where it is dialled by another'),
            @('--insecure-skip-verify', 'do not check the gateway''s certificate: whoever is in between gets the token'),
            @('--client-cert', 'PEM file of a certificate for the gateway, beside a token or in place of it'),
            @('--client-key', 'PEM file of its private key'),
            @('--header', 'for a proxy in front of the gateway, as "Name: value"; may be repeated; secrets belong into --header-file'),
            @('--header-file', 'file with such headers, one a line'),
            @('--allow-plaintext', 'send the token without TLS, to a gateway on another machine'),
            @('--context', 'a context of your configuration, in place of the current one'),
            @('--agent', 'the agent to go through; needed if the token allows several'),
            @('-n', 'the namespace of targets that name none, as db:5432; default: the context''s, or kubectl''s'),
            @('--namespace', 'the namespace of targets that name none, as db:5432; default: the context''s, or kubectl''s'),
            @('--address', 'where local ports are bound; default: 127.0.0.1 and ::1'),
            @('--socks5', 'a local proxy to every service that the token allows: SOCKS5 and HTTP CONNECT'),
            @('--stdio', 'be a pipe: join stdin and stdout to the one target, and print nothing else'),
            @('-o', 'text, or json: one event per line on stdout'),
            @('--output', 'text, or json: one event per line on stdout'),
            @('--stats-interval', 'how often json has a stats event; 0: never'),
            @('--ping-interval', 'how often to ping; default: 5s while it is shown, else 20s'),
            @('--hold-timeout', 'how long new connections wait while the tunnel is away'),
            @('--udp-idle-timeout', 'when a sender of UDP that is silent is forgotten'),
            @('--redial-every', 'replace the carrier this often, before a load balancer ends it; default: never'),
            @('--ready-file', 'write the local addresses here once all are open; it is removed at the end'),
            @('--detach', 'go on without the terminal once all is open: see tunnelctl ps, stop and logs'),
            @('--plain', 'lines that go by, and no live block: for screen readers, and for logs'),
            @('-q', 'print failures only'),
            @('--quiet', 'print failures only'),
            @('-v', 'print a line for each connection too, when it opens and when it ends'),
            @('--verbose', 'print a line for each connection too, when it opens and when it ends'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'agent' = @(
            @('--gateway', 'the gateway to dial, as wss://gateway.example.com'),
            @('--token-file', 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'),
            @('--ca-file', 'PEM file of a private authority that signed the gateway''s certificate'),
            @('--tls-server-name', 'the name in the gateway''s certificate, where it is dialled by another'),
            @('--insecure-skip-verify', 'do not check the gateway''s certificate: whoever is in between gets the token'),
            @('--client-cert', 'PEM file of a certificate for the gateway, beside a token or in place of it'),
            @('--client-key', 'PEM file of its private key'),
            @('--header', 'for a proxy in front of the gateway, as "Name: value"; may be repeated; secrets belong into --header-file'),
            @('--header-file', 'file with such headers, one a line'),
            @('--allow-plaintext', 'send the token without TLS, to a gateway on another machine'),
            @('--service', 'a service at a fixed address: NAME/NS:PORT=HOST:PORT'),
            @('--allow', 'reach these only, whatever tokens allow: api/prod:8080, */dev:*'),
            @('--deny', 'never reach these'),
            @('--allow-external', 'hosts outside of the cluster that its services may lead to'),
            @('--cluster-domain', 'the domain of cluster DNS; default: as in /etc/resolv.conf, else cluster.local'),
            @('--dns-server', 'name servers to ask in place of the system''s: HOST or HOST:PORT'),
            @('--dial-timeout', 'how long reaching a service may take'),
            @('--redial-every', 'replace the carrier this often, before a load balancer ends it; default: never'),
            @('--drain-timeout', 'how long, after SIGTERM, open connections may take to end'),
            @('--detached-ttl', 'how long sessions whose client is away are kept'),
            @('--detached-memory', 'what those sessions may hold together; the oldest give way'),
            @('--group', 'processes of one name with the same group share its sessions: replicas'),
            @('--health-listen', 'serve /healthz, /readyz and /metrics here'),
            @('--discovery', 'tell of the services of the whole cluster, of some namespaces, or of none: off'),
            @('--discovery-namespaces', 'those whose services are told of'),
            @('--discovery-selector', 'only services with these labels, as kubectl -l has them'),
            @('--kubernetes-api', 'where to ask; default: the pod''s own cluster, with its account'),
            @('--limit', 'what others may take: sessions, sessions-per-subject, streams-per-session, streams-per-subject, dials-per-target, vain-per-second, session-memory, memory'),
            @('--log-format', 'json or pretty; default: pretty on a terminal, else json'),
            @('--log-level', 'debug, info, warn, error or off'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'gateway' = @(
            @('--listen', 'where connect and agents dial in'),
            @('--admin-listen', 'serve /healthz, /readyz and /metrics here'),
            @('--verify-key', 'public key to check tokens with: the FILE.pub of token keygen'),
            @('--max-token-ttl', 'refuse tokens that were made for longer; default: any'),
            @('--clusters', 'YAML: clusters whose service accounts are agents, without a secret of ours'),
            @('--oidc-issuer', 'let people in who log in there: an OpenID Connect provider'),
            @('--oidc-audience', 'the client id of tunnelctl at the issuer'),
            @('--oidc-rules', 'YAML: who may do what, by the claims of their tokens'),
            @('--oidc-scopes', 'what tunnelctl login asks the issuer for'),
            @('--client-ca', 'PEM: authorities whose certificates let in, in place of tokens'),
            @('--client-rules', 'YAML: whom those certificates stand for, and what they may do'),
            @('--revoked', 'YAML: tokens, people and certificates that must not come in any more'),
            @('--tls-cert', 'PEM certificate chains, chosen by host; without one, put a proxy that ends TLS in front'),
            @('--tls-key', 'PEM private keys of the certificates, in the same order'),
            @('--http-listen', 'with TLS: send plain HTTP on to https, from here'),
            @('--proxy-protocol', 'connections of trusted proxies begin with the PROXY protocol'),
            @('--drain-timeout', 'how long, after SIGTERM, carriers may take to move elsewhere'),
            @('--dev', 'to try it on this machine: makes keys and tokens, and prints what to paste'),
            @('--ingress-domain', 'serve services as HTTP: service--namespace--port.DOMAIN is one, and with --agent behind it that of one agent'),
            @('--routes', 'YAML: hosts and paths, and the services that they stand for; read again when it changes'),
            @('--ingress-public', 'services below the domain that need no token, as web/prod:80'),
            @('--ingress-timeout', 'how long a service may take to begin its answer'),
            @('--ingress-idle-timeout', 'how long a transfer, or an upgraded connection, may stand still'),
            @('--ingress-hsts', 'over TLS, browsers are told to come over TLS alone for so long; 0: not'),
            @('--log-frames', 'what the log has of WebSocket frames that pass: off, totals, or each'),
            @('--trusted-proxies', 'proxies in front, whose X-Forwarded-* headers are believed'),
            @('--limit', 'what others may take: connections, connections-per-address, arrivals-per-address, arrival-time, stuck-time, carriers-per-subject, sessions-per-carrier, comings-per-second, work-per-second, queued-memory, ingress-memory'),
            @('--log-format', 'json or pretty; default: pretty on a terminal, else json'),
            @('--log-level', 'debug, info, warn, error or off'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'open' = @(
            @('--gateway', 'the gateway to dial, as wss://gateway.example.com'),
            @('--token-file', 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'),
            @('--ca-file', 'PEM file of a private authority that signed the gateway''s certificate'),
            @('--tls-server-name', 'the name in the gateway''s certificate, where it is dialled by another'),
            @('--insecure-skip-verify', 'do not check the gateway''s certificate: whoever is in between gets the token'),
            @('--client-cert', 'PEM file of a certificate for the gateway, beside a token or in place of it'),
            @('--client-key', 'PEM file of its private key'),
            @('--header', 'for a proxy in front of the gateway, as "Name: value"; may be repeated; secrets belong into --header-file'),
            @('--header-file', 'file with such headers, one a line'),
            @('--allow-plaintext', 'send the token without TLS, to a gateway on another machine'),
            @('--context', 'a context of your configuration, in place of the current one'),
            @('--agent', 'the agent to go through; needed if the token allows several'),
            @('-n', 'the namespace of a target that names none'),
            @('--namespace', 'the namespace of a target that names none'),
            @('--no-browser', 'print the address, and open nothing'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'services' = @(
            @('--gateway', 'the gateway to dial, as wss://gateway.example.com'),
            @('--token-file', 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'),
            @('--ca-file', 'PEM file of a private authority that signed the gateway''s certificate'),
            @('--tls-server-name', 'the name in the gateway''s certificate, where it is dialled by another'),
            @('--insecure-skip-verify', 'do not check the gateway''s certificate: whoever is in between gets the token'),
            @('--client-cert', 'PEM file of a certificate for the gateway, beside a token or in place of it'),
            @('--client-key', 'PEM file of its private key'),
            @('--header', 'for a proxy in front of the gateway, as "Name: value"; may be repeated; secrets belong into --header-file'),
            @('--header-file', 'file with such headers, one a line'),
            @('--allow-plaintext', 'send the token without TLS, to a gateway on another machine'),
            @('--context', 'a context of your configuration, in place of the current one'),
            @('--agent', 'those of this agent only'),
            @('-n', 'those of this namespace only'),
            @('--namespace', 'those of this namespace only'),
            @('-A', 'those of all namespaces, whatever the context says'),
            @('--all-namespaces', 'those of all namespaces, whatever the context says'),
            @('-o', 'table, json, or name: targets alone'),
            @('--output', 'table, json, or name: targets alone'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'agents' = @(
            @('--gateway', 'the gateway to dial, as wss://gateway.example.com'),
            @('--token-file', 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'),
            @('--ca-file', 'PEM file of a private authority that signed the gateway''s certificate'),
            @('--tls-server-name', 'the name in the gateway''s certificate, where it is dialled by another'),
            @('--insecure-skip-verify', 'do not check the gateway''s certificate: whoever is in between gets the token'),
            @('--client-cert', 'PEM file of a certificate for the gateway, beside a token or in place of it'),
            @('--client-key', 'PEM file of its private key'),
            @('--header', 'for a proxy in front of the gateway, as "Name: value"; may be repeated; secrets belong into --header-file'),
            @('--header-file', 'file with such headers, one a line'),
            @('--allow-plaintext', 'send the token without TLS, to a gateway on another machine'),
            @('--context', 'a context of your configuration, in place of the current one'),
            @('-o', 'table, json, or name: names alone'),
            @('--output', 'table, json, or name: names alone'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'up' = @(
            @('--file', 'this file, in place of the nearest tunnelctl.yaml'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'ps' = @(
            @('-o', 'table, json, or name: names alone'),
            @('--output', 'table, json, or name: names alone'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'stop' = @(
            @('--all', 'all that run'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'logs' = @(
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'doctor' = @(
            @('--gateway', 'the gateway to dial, as wss://gateway.example.com'),
            @('--token-file', 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'),
            @('--ca-file', 'PEM file of a private authority that signed the gateway''s certificate'),
            @('--tls-server-name', 'the name in the gateway''s certificate, where it is dialled by another'),
            @('--insecure-skip-verify', 'do not check the gateway''s certificate: whoever is in between gets the token'),
            @('--client-cert', 'PEM file of a certificate for the gateway, beside a token or in place of it'),
            @('--client-key', 'PEM file of its private key'),
            @('--header', 'for a proxy in front of the gateway, as "Name: value"; may be repeated; secrets belong into --header-file'),
            @('--header-file', 'file with such headers, one a line'),
            @('--allow-plaintext', 'send the token without TLS, to a gateway on another machine'),
            @('--context', 'a context of your configuration, in place of the current one'),
            @('--agent', 'the agent to go through; needed if the token allows several'),
            @('-n', 'the namespace of a target that names none'),
            @('--namespace', 'the namespace of a target that names none'),
            @('-o', 'text, or json'),
            @('--output', 'text, or json'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'login' = @(
            @('--gateway', 'the gateway to dial, as wss://gateway.example.com'),
            @('--token-file', 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'),
            @('--ca-file', 'PEM file of a private authority that signed the gateway''s certificate'),
            @('--tls-server-name', 'the name in the gateway''s certificate, where it is dialled by another'),
            @('--insecure-skip-verify', 'do not check the gateway''s certificate: whoever is in between gets the token'),
            @('--client-cert', 'PEM file of a certificate for the gateway, beside a token or in place of it'),
            @('--client-key', 'PEM file of its private key'),
            @('--header', 'for a proxy in front of the gateway, as "Name: value"; may be repeated; secrets belong into --header-file'),
            @('--header-file', 'file with such headers, one a line'),
            @('--allow-plaintext', 'send the token without TLS, to a gateway on another machine'),
            @('--name', 'what to call the context; default: the gateway''s host'),
            @('--agent', 'the agent to go through, unless another is named'),
            @('-n', 'the namespace of targets that name none'),
            @('--namespace', 'the namespace of targets that name none'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'context' = @(
            @('list', 'list the contexts; the current one has a star'),
            @('show', 'show a context, or the current one'),
            @('use', 'make a context the current one'),
            @('rename', 'give a context another name'),
            @('remove', 'remove a context, and the token that login has stored for it'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'context list' = @(
            @('-o', 'table, json, or name: the names alone'),
            @('--output', 'table, json, or name: the names alone'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'context show' = @(
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'context use' = @(
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'context rename' = @(
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'context remove' = @(
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'config' = @(
            @('view', 'show what holds now: environment, then context'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'config view' = @(
            @('--context', 'a context of your configuration, in place of the current one'),
            @('--show-origin', 'say where each value is set'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'token' = @(
            @('keygen', 'make a key pair: FILE to make tokens with, FILE.pub for gateways'),
            @('create', 'make a token and print it on stdout'),
            @('inspect', 'show what is in a token'),
            @('check', 'say whether a token allows a target, and by which pattern'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'token keygen' = @(
            @('--out', 'where to write the private key, with mode 0600; nothing is overwritten'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'token create' = @(
            @('--key', 'the private key, as made by keygen'),
            @('--role', 'who will hold it: connect or agent'),
            @('--subject', 'the person or machine it is for'),
            @('--agent', 'role agent: its name; role connect: the agents it may use, ''*'' for all'),
            @('--allow', 'role connect: what it may open: api/prod:8080, ''*/dev:*'', db/prod:5000-5999'),
            @('--ttl', 'how long it is good for: 30m, 8h, 7d'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'token inspect' = @(
            @('--token-file', 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'token check' = @(
            @('--token-file', 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'),
            @('--agent', 'say whether it allows this agent, too'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'manifests' = @(
            @('agent', 'print the objects of an agent'),
            @('gateway', 'print the objects of a gateway'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'manifests agent' = @(
            @('--gateway', 'the gateway to dial, as wss://gateway.example.com'),
            @('--name', 'the agent''s name, as its token has it; for more than one in a namespace'),
            @('--token-secret', 'the Secret with its token, at the key "token"; default: tunnelctl-agent'),
            @('--service-account-token', 'in place of it, a token that the cluster makes and renews; default audience: tunnelctl-gateway'),
            @('--allow', 'reach these only, whatever tokens allow: api/prod:8080, */dev:*'),
            @('--deny', 'never reach these'),
            @('--discovery', 'look services up in the API: cluster, namespaces, or off'),
            @('--namespaces', 'those to look in, with --discovery namespaces'),
            @('-n', 'where to install it'),
            @('--namespace', 'where to install it'),
            @('--create-namespace', 'make the namespace too; tunnelctl is made anyway'),
            @('--image', 'the image that the pods run; default: that of this version of tunnelctl at ghcr.io/tunnelctl/tunnelctl'),
            @('--replicas', 'how many pods'),
            @('-o', 'yaml, or json'),
            @('--output', 'yaml, or json'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'manifests gateway' = @(
            @('--host', 'where it is reached, as gateway.example.com'),
            @('--verify-key-secret', 'the Secret with the public key to check tokens with, at the key "issuer.key.pub"'),
            @('--tls-secret', 'the Secret with the certificate for the host, of the type kubernetes.io/tls'),
            @('--ingress', 'what ends TLS in front: gateway-api, nginx, alb, gke, traefik, or none: a load balancer and the gateway itself'),
            @('--ingress-class', 'the class of the Ingress or Gateway, where it is not the usual one'),
            @('--ingress-domain', 'serve services as HTTP: service--namespace--port.DOMAIN'),
            @('--oidc-issuer', 'let people in who log in there: an OpenID Connect provider'),
            @('--oidc-audience', 'the client id of tunnelctl at the issuer'),
            @('--oidc-rules-configmap', 'the ConfigMap that says who may do what, at the key "rules.yaml"'),
            @('--clusters-configmap', 'the ConfigMap that says whose service accounts are agents, at "clusters.yaml"'),
            @('--token-review', 'let it ask the cluster whether their tokens hold'),
            @('-n', 'where to install it'),
            @('--namespace', 'where to install it'),
            @('--create-namespace', 'make the namespace too; tunnelctl is made anyway'),
            @('--image', 'the image that the pods run; default: that of this version of tunnelctl at ghcr.io/tunnelctl/tunnelctl'),
            @('--replicas', 'how many pods: one'),
            @('-o', 'yaml, or json'),
            @('--output', 'yaml, or json'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'demo' = @(
            @('--keep', 'then leave it running, with a URL to try, until Ctrl-C'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
        'completion' = @(
            @('bash', 'bash'),
            @('zsh', 'zsh'),
            @('fish', 'fish'),
            @('powershell', 'powershell'),
            @('-h', 'show this help'),
            @('--help', 'show this help')
        )
    }
    $values = @{
        'connect -o' = @('text', 'json')
        'connect --output' = @('text', 'json')
        'agent --discovery' = @('off', 'cluster', 'namespaces')
        'agent --log-format' = @('json', 'pretty')
        'agent --log-level' = @('debug', 'info', 'warn', 'error', 'off')
        'gateway --log-frames' = @('off', 'totals', 'each')
        'gateway --log-format' = @('json', 'pretty')
        'gateway --log-level' = @('debug', 'info', 'warn', 'error', 'off')
        'services -o' = @('table', 'json', 'name')
        'services --output' = @('table', 'json', 'name')
        'agents -o' = @('table', 'json', 'name')
        'agents --output' = @('table', 'json', 'name')
        'ps -o' = @('table', 'json', 'name')
        'ps --output' = @('table', 'json', 'name')
        'doctor -o' = @('text', 'json')
        'doctor --output' = @('text', 'json')
        'context list -o' = @('table', 'json', 'name')
        'context list --output' = @('table', 'json', 'name')
        'token create --role' = @('connect', 'agent')
        'manifests agent --discovery' = @('cluster', 'namespaces', 'off')
        'manifests agent -o' = @('yaml', 'json')
        'manifests agent --output' = @('yaml', 'json')
        'manifests gateway --ingress' = @('gateway-api', 'nginx', 'alb', 'gke', 'traefik', 'none')
        'manifests gateway -o' = @('yaml', 'json')
        'manifests gateway --output' = @('yaml', 'json')
    }
    # What tunnelctl knows at this moment.
    $live = @{
        'connect' = 'targets'
        'connect --context' = 'contexts'
        'connect --agent' = 'agents'
        'connect -n' = 'namespaces'
        'connect --namespace' = 'namespaces'
        'open' = 'targets'
        'open --context' = 'contexts'
        'open --agent' = 'agents'
        'open -n' = 'namespaces'
        'open --namespace' = 'namespaces'
        'services --context' = 'contexts'
        'services --agent' = 'agents'
        'services -n' = 'namespaces'
        'services --namespace' = 'namespaces'
        'agents --context' = 'contexts'
        'stop' = 'detached'
        'logs' = 'detached'
        'doctor' = 'targets'
        'doctor --context' = 'contexts'
        'doctor --agent' = 'agents'
        'doctor -n' = 'namespaces'
        'doctor --namespace' = 'namespaces'
        'context show' = 'contexts'
        'context use' = 'contexts'
        'context rename' = 'contexts'
        'context remove' = 'contexts'
        'config view --context' = 'contexts'
        'token check' = 'targets'
    }

    $path = ''
    $previous = ''
    foreach ($element in $commandAst.CommandElements | Select-Object -Skip 1) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        $previous = $element.ToString()
        $longer = "$path $previous".Trim()
        if ($words.ContainsKey($longer)) { $path = $longer }
    }
    $asked = if ($live.ContainsKey("$path $previous")) { "$path $previous" } else { $path }
    if ($live.ContainsKey($asked) -and $wordToComplete -notlike '-*') {
        $line = $commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() }
        $offered = & tunnelctl __complete $live[$asked] $wordToComplete @line 2>$null | ForEach-Object { , @($_, $_) }
    } elseif ($values.ContainsKey("$path $previous")) {
        $offered = $values["$path $previous"] | ForEach-Object { , @($_, $_) }
    } else {
        $offered = $words[$path]
    }
    $offered | Where-Object { $_[0] -like "$wordToComplete*" } | ForEach-Object {
        if ($_[0] -notlike '-*' -or $wordToComplete -like '-*') {
            [System.Management.Automation.CompletionResult]::new($_[0], $_[0], 'ParameterValue', $_[1])
        }
    }
}
