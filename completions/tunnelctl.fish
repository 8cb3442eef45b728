# Completion of tunnelctl for fish, made from its command tree. To use it: tunnelctl completion fish | source

# True when the words so far lead to the command given.
function __tunnelctl_at
    set -l path
    for word in (commandline -opc)[2..-1]
        switch "$path $word"
            case ' connect'
                set path connect
            case ' agent'
                set path agent
            case ' gateway'
                set path gateway
            case ' services'
                set path services
            case ' agents'
                set path agents
            case ' up'
                set path up
            case ' ps'
                set path ps
            case ' stop'
                set path stop
            case ' logs'
                set path logs
            case ' doctor'
                set path doctor
            case ' login'
                set path login
            case ' context'
                set path context
            case ' config'
                set path config
            case ' token'
                set path token
            case ' demo'
                set path demo
            case ' completion'
                set path completion
            case 'context list'
                set path context list
            case 'context show'
                set path context show
            case 'context use'
                set path context use
            case 'context rename'
                set path context rename
            case 'context remove'
                set path context remove
            case 'config view'
                set path config view
            case 'token keygen'
                set path token keygen
            case 'token create'
                set path token create
            case 'token inspect'
                set path token inspect
        end
    end
    test "$path" = "$argv"
end

# What tunnelctl knows at this moment.
function __tunnelctl_live
    set -l word (commandline -ct)
    command tunnelctl __complete $argv "$word" (commandline -opc)[2..-1] 2>/dev/null
end

complete -c tunnelctl -f
complete -c tunnelctl -n '__tunnelctl_at' -a connect -d 'open local ports, or a pipe, to services in the cluster'
complete -c tunnelctl -n '__tunnelctl_at' -a agent -d 'run in the cluster: dials out, and reaches services from there'
complete -c tunnelctl -n '__tunnelctl_at' -a gateway -d 'run where both can reach it: relays between connect and agents'
complete -c tunnelctl -n '__tunnelctl_at' -a services -d 'list the services that can be reached'
complete -c tunnelctl -n '__tunnelctl_at' -a agents -d 'list the agents that are connected'
complete -c tunnelctl -n '__tunnelctl_at' -a up -d 'open the forwards that tunnelctl.yaml lists'
complete -c tunnelctl -n '__tunnelctl_at' -a ps -d 'list what runs detached'
complete -c tunnelctl -n '__tunnelctl_at' -a stop -d 'end what runs detached'
complete -c tunnelctl -n '__tunnelctl_at' -a logs -d 'show what a detached connect has said'
complete -c tunnelctl -n '__tunnelctl_at' -a doctor -d 'find what is wrong between here and a service'
complete -c tunnelctl -n '__tunnelctl_at' -a login -d 'check a gateway and a token, and keep them'
complete -c tunnelctl -n '__tunnelctl_at' -a context -d 'list and change the gateways that you use'
complete -c tunnelctl -n '__tunnelctl_at' -a config -d 'show your configuration, and where each value is set'
complete -c tunnelctl -n '__tunnelctl_at' -a token -d 'make keys and tokens, and look into a token'
complete -c tunnelctl -n '__tunnelctl_at' -a demo -d 'see it all at work on this machine, in seconds'
complete -c tunnelctl -n '__tunnelctl_at' -a completion -d 'print a completion script for your shell'
complete -c tunnelctl -n '__tunnelctl_at' -s V -l version -d 'print the version'
complete -c tunnelctl -n '__tunnelctl_at' -l no-color -d 'no colours, as with NO_COLOR; for every command'
complete -c tunnelctl -n '__tunnelctl_at' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at connect' -a '(__tunnelctl_live targets)'
complete -c tunnelctl -n '__tunnelctl_at connect' -l gateway -x -d 'the gateway to dial, as wss://gateway.example.com'
complete -c tunnelctl -n '__tunnelctl_at connect' -l token-file -r -F -d 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'
complete -c tunnelctl -n '__tunnelctl_at connect' -l ca-file -r -F -d 'PEM file of a private authority that signed the gateway\'s certificate'
complete -c tunnelctl -n '__tunnelctl_at connect' -l context -x -a '(__tunnelctl_live contexts)' -d 'a context of your configuration, in place of the current one'
complete -c tunnelctl -n '__tunnelctl_at connect' -l agent -x -a '(__tunnelctl_live agents)' -d 'the agent to go through; needed if the token allows several'
complete -c tunnelctl -n '__tunnelctl_at connect' -s n -l namespace -x -a '(__tunnelctl_live namespaces)' -d 'the namespace of targets that name none, as db:5432'
complete -c tunnelctl -n '__tunnelctl_at connect' -l address -x -d 'where local ports are bound; default: 127.0.0.1 and ::1'
complete -c tunnelctl -n '__tunnelctl_at connect' -l socks5 -x -d 'a local proxy to every service that the token allows: SOCKS5 and HTTP CONNECT'
complete -c tunnelctl -n '__tunnelctl_at connect' -l stdio -d 'be a pipe: join stdin and stdout to the one target, and print nothing else'
complete -c tunnelctl -n '__tunnelctl_at connect' -s o -l output -x -a 'text json' -d 'text, or json: one event per line on stdout'
complete -c tunnelctl -n '__tunnelctl_at connect' -l stats-interval -x -d 'how often json has a stats event; 0: never'
complete -c tunnelctl -n '__tunnelctl_at connect' -l ping-interval -x -d 'how often to ping; default: 5s while it is shown, else 20s'
complete -c tunnelctl -n '__tunnelctl_at connect' -l hold-timeout -x -d 'how long new connections wait while the tunnel is away'
complete -c tunnelctl -n '__tunnelctl_at connect' -l udp-idle-timeout -x -d 'when a sender of UDP that is silent is forgotten'
complete -c tunnelctl -n '__tunnelctl_at connect' -l redial-every -x -d 'replace the carrier this often, before a load balancer ends it; default: never'
complete -c tunnelctl -n '__tunnelctl_at connect' -l ready-file -r -F -d 'write the local addresses here once all are open; it is removed at the end'
complete -c tunnelctl -n '__tunnelctl_at connect' -l detach -d 'go on without the terminal once all is open: see tunnelctl ps, stop and logs'
complete -c tunnelctl -n '__tunnelctl_at connect' -l plain -d 'lines that go by, and no live block: for screen readers, and for logs'
complete -c tunnelctl -n '__tunnelctl_at connect' -s q -l quiet -d 'print failures only'
complete -c tunnelctl -n '__tunnelctl_at connect' -s v -l verbose -d 'print a line for each connection too, when it opens and when it ends'
complete -c tunnelctl -n '__tunnelctl_at connect' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at agent' -l gateway -x -d 'the gateway to dial, as wss://gateway.example.com'
complete -c tunnelctl -n '__tunnelctl_at agent' -l token-file -r -F -d 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'
complete -c tunnelctl -n '__tunnelctl_at agent' -l ca-file -r -F -d 'PEM file of a private authority that signed the gateway\'s certificate'
complete -c tunnelctl -n '__tunnelctl_at agent' -l service -x -d 'a service at a fixed address: NAME/NS:PORT=HOST:PORT'
complete -c tunnelctl -n '__tunnelctl_at agent' -l allow -x -d 'reach these only, whatever tokens allow: api/prod:8080, */dev:*'
complete -c tunnelctl -n '__tunnelctl_at agent' -l deny -x -d 'never reach these'
complete -c tunnelctl -n '__tunnelctl_at agent' -l cluster-domain -x -d 'the domain of cluster DNS; default: as in /etc/resolv.conf, else cluster.local'
complete -c tunnelctl -n '__tunnelctl_at agent' -l dns-server -x -d 'name servers to ask in place of the system\'s: HOST or HOST:PORT'
complete -c tunnelctl -n '__tunnelctl_at agent' -l dial-timeout -x -d 'how long reaching a service may take'
complete -c tunnelctl -n '__tunnelctl_at agent' -l redial-every -x -d 'replace the carrier this often, before a load balancer ends it; default: never'
complete -c tunnelctl -n '__tunnelctl_at agent' -l drain-timeout -x -d 'how long, after SIGTERM, open connections may take to end'
complete -c tunnelctl -n '__tunnelctl_at agent' -l detached-ttl -x -d 'how long sessions whose client is away are kept'
complete -c tunnelctl -n '__tunnelctl_at agent' -l detached-memory -x -d 'what those sessions may hold together; the oldest give way'
complete -c tunnelctl -n '__tunnelctl_at agent' -l health-listen -x -d 'serve /healthz, /readyz and /metrics here'
complete -c tunnelctl -n '__tunnelctl_at agent' -l log-format -x -a 'json pretty' -d 'json or pretty; default: pretty on a terminal, else json'
complete -c tunnelctl -n '__tunnelctl_at agent' -l log-level -x -a 'debug info warn error off' -d 'debug, info, warn, error or off'
complete -c tunnelctl -n '__tunnelctl_at agent' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at gateway' -l listen -x -d 'where connect and agents dial in'
complete -c tunnelctl -n '__tunnelctl_at gateway' -l admin-listen -x -d 'serve /healthz, /readyz and /metrics here'
complete -c tunnelctl -n '__tunnelctl_at gateway' -l verify-key -r -F -d 'public key to check tokens with: the FILE.pub of token keygen'
complete -c tunnelctl -n '__tunnelctl_at gateway' -l oidc-issuer -x -d 'let people in who log in there: an OpenID Connect provider'
complete -c tunnelctl -n '__tunnelctl_at gateway' -l oidc-audience -x -d 'the client id of tunnelctl at the issuer'
complete -c tunnelctl -n '__tunnelctl_at gateway' -l oidc-rules -r -F -d 'YAML: who may do what, by the claims of their tokens'
complete -c tunnelctl -n '__tunnelctl_at gateway' -l oidc-scopes -x -d 'what tunnelctl login asks the issuer for'
complete -c tunnelctl -n '__tunnelctl_at gateway' -l tls-cert -r -F -d 'PEM certificate chain; without it, put a proxy that ends TLS in front'
complete -c tunnelctl -n '__tunnelctl_at gateway' -l tls-key -r -F -d 'PEM private key of the certificate'
complete -c tunnelctl -n '__tunnelctl_at gateway' -l drain-timeout -x -d 'how long, after SIGTERM, carriers may take to move elsewhere'
complete -c tunnelctl -n '__tunnelctl_at gateway' -l dev -d 'to try it on this machine: makes keys and tokens, and prints what to paste'
complete -c tunnelctl -n '__tunnelctl_at gateway' -l log-format -x -a 'json pretty' -d 'json or pretty; default: pretty on a terminal, else json'
complete -c tunnelctl -n '__tunnelctl_at gateway' -l log-level -x -a 'debug info warn error off' -d 'debug, info, warn, error or off'
complete -c tunnelctl -n '__tunnelctl_at gateway' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at services' -l gateway -x -d 'the gateway to dial, as wss://gateway.example.com'
complete -c tunnelctl -n '__tunnelctl_at services' -l token-file -r -F -d 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'
complete -c tunnelctl -n '__tunnelctl_at services' -l ca-file -r -F -d 'PEM file of a private authority that signed the gateway\'s certificate'
complete -c tunnelctl -n '__tunnelctl_at services' -l context -x -a '(__tunnelctl_live contexts)' -d 'a context of your configuration, in place of the current one'
complete -c tunnelctl -n '__tunnelctl_at services' -l agent -x -a '(__tunnelctl_live agents)' -d 'those of this agent only'
complete -c tunnelctl -n '__tunnelctl_at services' -s n -l namespace -x -a '(__tunnelctl_live namespaces)' -d 'those of this namespace only'
complete -c tunnelctl -n '__tunnelctl_at services' -s A -l all-namespaces -d 'those of all namespaces, whatever the context says'
complete -c tunnelctl -n '__tunnelctl_at services' -s o -l output -x -a 'table json name' -d 'table, json, or name: targets alone'
complete -c tunnelctl -n '__tunnelctl_at services' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at agents' -l gateway -x -d 'the gateway to dial, as wss://gateway.example.com'
complete -c tunnelctl -n '__tunnelctl_at agents' -l token-file -r -F -d 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'
complete -c tunnelctl -n '__tunnelctl_at agents' -l ca-file -r -F -d 'PEM file of a private authority that signed the gateway\'s certificate'
complete -c tunnelctl -n '__tunnelctl_at agents' -l context -x -a '(__tunnelctl_live contexts)' -d 'a context of your configuration, in place of the current one'
complete -c tunnelctl -n '__tunnelctl_at agents' -s o -l output -x -a 'table json name' -d 'table, json, or name: names alone'
complete -c tunnelctl -n '__tunnelctl_at agents' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at up' -l file -r -F -d 'this file, in place of the nearest tunnelctl.yaml'
complete -c tunnelctl -n '__tunnelctl_at up' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at ps' -s o -l output -x -a 'table json name' -d 'table, json, or name: names alone'
complete -c tunnelctl -n '__tunnelctl_at ps' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at stop' -a '(__tunnelctl_live detached)'
complete -c tunnelctl -n '__tunnelctl_at stop' -l all -d 'all that run'
complete -c tunnelctl -n '__tunnelctl_at stop' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at logs' -a '(__tunnelctl_live detached)'
complete -c tunnelctl -n '__tunnelctl_at logs' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at doctor' -a '(__tunnelctl_live targets)'
complete -c tunnelctl -n '__tunnelctl_at doctor' -l gateway -x -d 'the gateway to dial, as wss://gateway.example.com'
complete -c tunnelctl -n '__tunnelctl_at doctor' -l token-file -r -F -d 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'
complete -c tunnelctl -n '__tunnelctl_at doctor' -l ca-file -r -F -d 'PEM file of a private authority that signed the gateway\'s certificate'
complete -c tunnelctl -n '__tunnelctl_at doctor' -l context -x -a '(__tunnelctl_live contexts)' -d 'a context of your configuration, in place of the current one'
complete -c tunnelctl -n '__tunnelctl_at doctor' -l agent -x -a '(__tunnelctl_live agents)' -d 'the agent to go through; needed if the token allows several'
complete -c tunnelctl -n '__tunnelctl_at doctor' -s n -l namespace -x -a '(__tunnelctl_live namespaces)' -d 'the namespace of a target that names none'
complete -c tunnelctl -n '__tunnelctl_at doctor' -s o -l output -x -a 'text json' -d 'text, or json'
complete -c tunnelctl -n '__tunnelctl_at doctor' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at login' -l gateway -x -d 'the gateway to dial, as wss://gateway.example.com'
complete -c tunnelctl -n '__tunnelctl_at login' -l token-file -r -F -d 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'
complete -c tunnelctl -n '__tunnelctl_at login' -l ca-file -r -F -d 'PEM file of a private authority that signed the gateway\'s certificate'
complete -c tunnelctl -n '__tunnelctl_at login' -l name -x -d 'what to call the context; default: the gateway\'s host'
complete -c tunnelctl -n '__tunnelctl_at login' -l agent -x -d 'the agent to go through, unless another is named'
complete -c tunnelctl -n '__tunnelctl_at login' -s n -l namespace -x -d 'the namespace of targets that name none'
complete -c tunnelctl -n '__tunnelctl_at login' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at context' -a list -d 'list the contexts; the current one has a star'
complete -c tunnelctl -n '__tunnelctl_at context' -a show -d 'show a context, or the current one'
complete -c tunnelctl -n '__tunnelctl_at context' -a use -d 'make a context the current one'
complete -c tunnelctl -n '__tunnelctl_at context' -a rename -d 'give a context another name'
complete -c tunnelctl -n '__tunnelctl_at context' -a remove -d 'remove a context, and the token that login has stored for it'
complete -c tunnelctl -n '__tunnelctl_at context' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at context list' -s o -l output -x -a 'table json name' -d 'table, json, or name: the names alone'
complete -c tunnelctl -n '__tunnelctl_at context list' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at context show' -a '(__tunnelctl_live contexts)'
complete -c tunnelctl -n '__tunnelctl_at context show' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at context use' -a '(__tunnelctl_live contexts)'
complete -c tunnelctl -n '__tunnelctl_at context use' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at context rename' -a '(__tunnelctl_live contexts)'
complete -c tunnelctl -n '__tunnelctl_at context rename' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at context remove' -a '(__tunnelctl_live contexts)'
complete -c tunnelctl -n '__tunnelctl_at context remove' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at config' -a view -d 'show what holds now: environment, then context'
complete -c tunnelctl -n '__tunnelctl_at config' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at config view' -l context -x -a '(__tunnelctl_live contexts)' -d 'a context of your configuration, in place of the current one'
complete -c tunnelctl -n '__tunnelctl_at config view' -l show-origin -d 'say where each value is set'
complete -c tunnelctl -n '__tunnelctl_at config view' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at token' -a keygen -d 'make a key pair: FILE to make tokens with, FILE.pub for gateways'
complete -c tunnelctl -n '__tunnelctl_at token' -a create -d 'make a token and print it on stdout'
complete -c tunnelctl -n '__tunnelctl_at token' -a inspect -d 'show what is in a token'
complete -c tunnelctl -n '__tunnelctl_at token' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at token keygen' -l out -r -F -d 'where to write the private key, with mode 0600; nothing is overwritten'
complete -c tunnelctl -n '__tunnelctl_at token keygen' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at token create' -l key -r -F -d 'the private key, as made by keygen'
complete -c tunnelctl -n '__tunnelctl_at token create' -l role -x -a 'connect agent' -d 'who will hold it: connect or agent'
complete -c tunnelctl -n '__tunnelctl_at token create' -l subject -x -d 'the person or machine it is for'
complete -c tunnelctl -n '__tunnelctl_at token create' -l agent -x -d 'role agent: its name; role connect: the agents it may use, \'*\' for all'
complete -c tunnelctl -n '__tunnelctl_at token create' -l allow -x -d 'role connect: what it may open: api/prod:8080, \'*/dev:*\', db/prod:5000-5999'
complete -c tunnelctl -n '__tunnelctl_at token create' -l ttl -x -d 'how long it is good for: 30m, 8h, 7d'
complete -c tunnelctl -n '__tunnelctl_at token create' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at token inspect' -l token-file -r -F -d 'file with the token, - for stdin; without it, TUNNELCTL_TOKEN is the token'
complete -c tunnelctl -n '__tunnelctl_at token inspect' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at demo' -l keep -d 'then leave it running, with a URL to try, until Ctrl-C'
complete -c tunnelctl -n '__tunnelctl_at demo' -s h -l help -d 'show this help'
complete -c tunnelctl -n '__tunnelctl_at completion' -a 'bash zsh fish powershell'
complete -c tunnelctl -n '__tunnelctl_at completion' -s h -l help -d 'show this help'
