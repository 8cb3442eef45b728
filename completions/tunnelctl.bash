# Completion of tunnelctl for bash, made from its command tree. To use it: source <(tunnelctl completion bash)

_tunnelctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} path='' words='' flags='' live='' index
    COMPREPLY=()
    # bash makes a word of its own of every "=".
    if [[ $cur == = ]]; then
        cur=''
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((index = 1; index < COMP_CWORD; index++)); do
        case "$path ${COMP_WORDS[index]}" in
            *' --') return ;;
            ' connect') path='connect' ;;
            ' agent') path='agent' ;;
            ' gateway') path='gateway' ;;
            ' open') path='open' ;;
            ' services') path='services' ;;
            ' agents') path='agents' ;;
            ' up') path='up' ;;
            ' ps') path='ps' ;;
            ' stop') path='stop' ;;
            ' logs') path='logs' ;;
            ' doctor') path='doctor' ;;
            ' login') path='login' ;;
            ' context') path='context' ;;
            ' config') path='config' ;;
            ' token') path='token' ;;
            ' manifests') path='manifests' ;;
            ' demo') path='demo' ;;
            ' completion') path='completion' ;;
            'context list') path='context list' ;;
            'context show') path='context show' ;;
            'context use') path='context use' ;;
            'context rename') path='context rename' ;;
            'context remove') path='context remove' ;;
            'config view') path='config view' ;;
            'token keygen') path='token keygen' ;;
            'token create') path='token create' ;;
            'token inspect') path='token inspect' ;;
            'token check') path='token check' ;;
            'manifests agent') path='manifests agent' ;;
            'manifests gateway') path='manifests gateway' ;;
        esac
    done
    case "$path $prev" in
        'connect --token-file' | 'connect --ca-file' | 'connect --client-cert' | 'connect --client-key' | 'connect --header-file' | 'connect --ready-file' | 'agent --token-file' | 'agent --ca-file' | 'agent --client-cert' | 'agent --client-key' | 'agent --header-file' | 'gateway --verify-key' | 'gateway --clusters' | 'gateway --oidc-rules' | 'gateway --client-ca' | 'gateway --client-rules' | 'gateway --revoked' | 'gateway --tls-cert' | 'gateway --tls-key' | 'gateway --routes' | 'open --token-file' | 'open --ca-file' | 'open --client-cert' | 'open --client-key' | 'open --header-file' | 'services --token-file' | 'services --ca-file' | 'services --client-cert' | 'services --client-key' | 'services --header-file' | 'agents --token-file' | 'agents --ca-file' | 'agents --client-cert' | 'agents --client-key' | 'agents --header-file' | 'up --file' | 'doctor --token-file' | 'doctor --ca-file' | 'doctor --client-cert' | 'doctor --client-key' | 'doctor --header-file' | 'login --token-file' | 'login --ca-file' | 'login --client-cert' | 'login --client-key' | 'login --header-file' | 'token keygen --out' | 'token create --key' | 'token inspect --token-file' | 'token check --token-file') _tunnelctl_files && return ;;
        'connect -o' | 'connect --output') words='text json' ;;
        'agent --discovery') words='off cluster namespaces' ;;
        'agent --log-format') words='json pretty' ;;
        'agent --log-level') words='debug info warn error off' ;;
        'gateway --log-frames') words='off totals each' ;;
        'gateway --log-format') words='json pretty' ;;
        'gateway --log-level') words='debug info warn error off' ;;
        'services -o' | 'services --output') words='table json name' ;;
        'agents -o' | 'agents --output') words='table json name' ;;
        'ps -o' | 'ps --output') words='table json name' ;;
        'doctor -o' | 'doctor --output') words='text json' ;;
        'context list -o' | 'context list --output') words='table json name' ;;
        'token create --role') words='connect agent' ;;
        'manifests agent --discovery') words='cluster namespaces off' ;;
        'manifests agent -o' | 'manifests agent --output') words='yaml json' ;;
        'manifests gateway --ingress') words='gateway-api nginx alb gke traefik none' ;;
        'manifests gateway -o' | 'manifests gateway --output') words='yaml json' ;;
        'connect --context') _tunnelctl_live contexts && return ;;
        'connect --agent') _tunnelctl_live agents && return ;;
        'connect -n' | 'connect --namespace') _tunnelctl_live namespaces && return ;;
        'open --context') _tunnelctl_live contexts && return ;;
        'open --agent') _tunnelctl_live agents && return ;;
        'open -n' | 'open --namespace') _tunnelctl_live namespaces && return ;;
        'services --context') _tunnelctl_live contexts && return ;;
        'services --agent') _tunnelctl_live agents && return ;;
        'services -n' | 'services --namespace') _tunnelctl_live namespaces && return ;;
        'agents --context') _tunnelctl_live contexts && return ;;
        'doctor --context') _tunnelctl_live contexts && return ;;
        'doctor --agent') _tunnelctl_live agents && return ;;
        'doctor -n' | 'doctor --namespace') _tunnelctl_live namespaces && return ;;
        'config view --context') _tunnelctl_live contexts && return ;;
        'connect --gateway' | 'connect --tls-server-name' | 'connect --header' | 'connect --address' | 'connect --socks5' | 'connect --stats-interval' | 'connect --ping-interval' | 'connect --hold-timeout' | 'connect --udp-idle-timeout' | 'connect --redial-every' | 'agent --gateway' | 'agent --tls-server-name' | 'agent --header' | 'agent --service' | 'agent --allow' | 'agent --deny' | 'agent --allow-external' | 'agent --cluster-domain' | 'agent --dns-server' | 'agent --dial-timeout' | 'agent --redial-every' | 'agent --drain-timeout' | 'agent --detached-ttl' | 'agent --detached-memory' | 'agent --group' | 'agent --health-listen' | 'agent --discovery-namespaces' | 'agent --discovery-selector' | 'agent --kubernetes-api' | 'agent --limit' | 'gateway --listen' | 'gateway --admin-listen' | 'gateway --max-token-ttl' | 'gateway --oidc-issuer' | 'gateway --oidc-audience' | 'gateway --oidc-scopes' | 'gateway --http-listen' | 'gateway --drain-timeout' | 'gateway --ingress-domain' | 'gateway --ingress-public' | 'gateway --ingress-timeout' | 'gateway --ingress-idle-timeout' | 'gateway --ingress-hsts' | 'gateway --trusted-proxies' | 'gateway --limit' | 'open --gateway' | 'open --tls-server-name' | 'open --header' | 'services --gateway' | 'services --tls-server-name' | 'services --header' | 'agents --gateway' | 'agents --tls-server-name' | 'agents --header' | 'doctor --gateway' | 'doctor --tls-server-name' | 'doctor --header' | 'login --gateway' | 'login --tls-server-name' | 'login --header' | 'login --name' | 'login --agent' | 'login -n' | 'login --namespace' | 'token create --subject' | 'token create --agent' | 'token create --allow' | 'token create --ttl' | 'token check --agent' | 'manifests agent --gateway' | 'manifests agent --name' | 'manifests agent --token-secret' | 'manifests agent --service-account-token' | 'manifests agent --allow' | 'manifests agent --deny' | 'manifests agent --namespaces' | 'manifests agent -n' | 'manifests agent --namespace' | 'manifests agent --image' | 'manifests agent --replicas' | 'manifests gateway --host' | 'manifests gateway --verify-key-secret' | 'manifests gateway --tls-secret' | 'manifests gateway --ingress-class' | 'manifests gateway --ingress-domain' | 'manifests gateway --oidc-issuer' | 'manifests gateway --oidc-audience' | 'manifests gateway --oidc-rules-configmap' | 'manifests gateway --clusters-configmap' | 'manifests gateway -n' | 'manifests gateway --namespace' | 'manifests gateway --image' | 'manifests gateway --replicas') return ;;
        *)
            case $path in
                '') words='connect agent gateway open services agents up ps stop logs doctor login context config token manifests demo completion' flags='-V --version --no-color -h --help' ;;
                'connect') words='' flags='--gateway --token-file --ca-file --tls-server-name --insecure-skip-verify --client-cert --client-key --header --header-file --allow-plaintext --context --agent -n --namespace --address --socks5 --stdio -o --output --stats-interval --ping-interval --hold-timeout --udp-idle-timeout --redial-every --ready-file --detach --plain -q --quiet -v --verbose -h --help' live=targets ;;
                'agent') words='' flags='--gateway --token-file --ca-file --tls-server-name --insecure-skip-verify --client-cert --client-key --header --header-file --allow-plaintext --service --allow --deny --allow-external --cluster-domain --dns-server --dial-timeout --redial-every --drain-timeout --detached-ttl --detached-memory --group --health-listen --discovery --discovery-namespaces --discovery-selector --kubernetes-api --limit --log-format --log-level -h --help' ;;
                'gateway') words='' flags='--listen --admin-listen --verify-key --max-token-ttl --clusters --oidc-issuer --oidc-audience --oidc-rules --oidc-scopes --client-ca --client-rules --revoked --tls-cert --tls-key --http-listen --proxy-protocol --drain-timeout --dev --ingress-domain --routes --ingress-public --ingress-timeout --ingress-idle-timeout --ingress-hsts --log-frames --trusted-proxies --limit --log-format --log-level -h --help' ;;
                'open') words='' flags='--gateway --token-file --ca-file --tls-server-name --insecure-skip-verify --client-cert --client-key --header --header-file --allow-plaintext --context --agent -n --namespace --no-browser -h --help' live=targets ;;
                'services') words='' flags='--gateway --token-file --ca-file --tls-server-name --insecure-skip-verify --client-cert --client-key --header --header-file --allow-plaintext --context --agent -n --namespace -A --all-namespaces -o --output -h --help' ;;
                'agents') words='' flags='--gateway --token-file --ca-file --tls-server-name --insecure-skip-verify --client-cert --client-key --header --header-file --allow-plaintext --context -o --output -h --help' ;;
                'up') words='' flags='--file -h --help' ;;
                'ps') words='' flags='-o --output -h --help' ;;
                'stop') words='' flags='--all -h --help' live=detached ;;
                'logs') words='' flags='-h --help' live=detached ;;
                'doctor') words='' flags='--gateway --token-file --ca-file --tls-server-name --insecure-skip-verify --client-cert --client-key --header --header-file --allow-plaintext --context --agent -n --namespace -o --output -h --help' live=targets ;;
                'login') words='' flags='--gateway --token-file --ca-file --tls-server-name --insecure-skip-verify --client-cert --client-key --header --header-file --allow-plaintext --name --agent -n --namespace -h --help' ;;
                'context') words='list show use rename remove' flags='-h --help' ;;
                'context list') words='' flags='-o --output -h --help' ;;
                'context show') words='' flags='-h --help' live=contexts ;;
                'context use') words='' flags='-h --help' live=contexts ;;
                'context rename') words='' flags='-h --help' live=contexts ;;
                'context remove') words='' flags='-h --help' live=contexts ;;
                'config') words='view' flags='-h --help' ;;
                'config view') words='' flags='--context --show-origin -h --help' ;;
                'token') words='keygen create inspect check' flags='-h --help' ;;
                'token keygen') words='' flags='--out -h --help' ;;
                'token create') words='' flags='--key --role --subject --agent --allow --ttl -h --help' ;;
                'token inspect') words='' flags='--token-file -h --help' ;;
                'token check') words='' flags='--token-file --agent -h --help' live=targets ;;
                'manifests') words='agent gateway' flags='-h --help' ;;
                'manifests agent') words='' flags='--gateway --name --token-secret --service-account-token --allow --deny --discovery --namespaces -n --namespace --create-namespace --image --replicas -o --output -h --help' ;;
                'manifests gateway') words='' flags='--host --verify-key-secret --tls-secret --ingress --ingress-class --ingress-domain --oidc-issuer --oidc-audience --oidc-rules-configmap --clusters-configmap --token-review -n --namespace --create-namespace --image --replicas -o --output -h --help' ;;
                'demo') words='' flags='--keep -h --help' ;;
                'completion') words='bash zsh fish powershell' flags='-h --help' ;;
            esac
            ;;
    esac
    if [[ $cur == -* ]]; then
        words=$flags
    elif [[ -n $live ]]; then
        _tunnelctl_live "$live"
        return
    fi
    # shellcheck disable=SC2207
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}

# readline completes the names of files best; bash before 4 cannot be asked to.
_tunnelctl_files() {
    compopt -o default 2>/dev/null && return
    # shellcheck disable=SC2207
    local IFS=$'\n' && COMPREPLY=($(compgen -f -- "$cur"))
}

# What tunnelctl knows at this moment. It is asked for what stands before the cursor, from the last blank on.
_tunnelctl_live() {
    local line=${COMP_LINE-$cur} found strip=''
    line=${line:0:${COMP_POINT-${#line}}}
    line=${line##*[[:space:]]}
    # To readline a word begins behind its last colon.
    [[ ${COMP_WORDBREAKS-:} == *:* ]] && strip=${line%"${line##*:}"}
    while IFS= read -r found; do
        COMPREPLY+=("${found#"$strip"}")
    done < <(_tunnelctl_run __complete "$1" "$line" "${COMP_WORDS[@]:1}" 2>/dev/null </dev/null)
}

# An alias for npx is no program.
_tunnelctl_run() {
    if type -P tunnelctl >/dev/null; then
        command tunnelctl "$@"
    else
        npx --no-install tunnelctl "$@"
    fi
}

complete -F _tunnelctl tunnelctl
