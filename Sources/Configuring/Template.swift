// The shipped configuration; etc/tautline.yaml is the same text, and a test compares the two.

extension ConfigurationLoader {
    /// What `taut config init` writes and the package installs: useful unedited, with every example commented out.
    ///
    /// Lines that begin with `# ` and a word are prose; any other line behind a `#` is a setting that is valid once the
    /// `#` is taken away.
    public static let template = #"""
        # Tautline's configuration: tautline.yaml(5) explains every setting.
        #
        # It is useful as it stands: the default gateways, the resolvers and the interfaces of this host are found and
        # watched, and the latency of the traffic that passes is measured. To add settings, take away the # at the start
        # of a line, or put a file of your own into conf.d/. Then run: taut config check && systemctl reload tautd

        # The name of this place, shown in alerts.
        #site: branch-west

        # What is found on the host and watched without being named. Each can also be a map of settings, as a target is.
        discovery:
          gateways: true
          resolvers: true
          interfaces: true

        # Settings of every target and probe; a target and a probe may each have their own.
        defaults:
          interval: 10s
          timeout: 2s
          down_after: 3
          up_after: 2
          degraded: {loss: 20%, window: 10}

        # What to watch, each under an id of your choice. History, alerts and schedule belong to the id: keep it.
        targets:
        # VPN gateways: is the gateway there, and is its service?
        #  vpn-west:
        #    kind: vpn
        #    title: VPN west
        #    address: vpn-west.example.net
        #    site: west
        #    labels: {customer: example}
        #    probes:
        #      - icmp: {count: 3, spacing: 200ms}
        #      - tcp: 1194
        #  vpn-east:
        #    kind: vpn
        #    title: VPN east
        #    address: 192.0.2.20
        #    interval: 5s
        #    degraded: {loss: 10%, rtt: 150ms}
        #    probes: [icmp, tcp: 443]
        #
        # SaaS endpoints: by TCP, since many of them do not answer ICMP. 443 is the port where none is written.
        #  crm:
        #    kind: saas
        #    address: crm.example.com
        #  mail:
        #    kind: saas
        #    address: mail.example.com
        #    family: both
        #    probes: [tcp: 993]
        #  files:
        #    kind: saas
        #    address: files.example.org
        #    parents: [vpn-west]
        #
        # A resolver of one's own: the name that it must know.
        #  dns-office:
        #    kind: resolver
        #    address: 192.0.2.53
        #    probes:
        #      - dns: {name: intranet.example.net, type: A, expect: 192.0.2.80}

        # Names for the addresses of people: sites, pools of remote workers.
        networks:
        #  workers: [10.8.0.0/16, 2001:db8:8::/48]
        #  office: [192.0.2.0/24]

        # Names for the services that people use, by DNS names, prefixes or both.
        services:
        #  crm:
        #    names: ["*.crm.example.com"]
        #    ports: [443]
        #  files:
        #    prefixes: [198.51.100.0/24]

        # Latency measured from the traffic that passes. No payload is ever stored.
        capture:
          enabled: true
          interfaces: [any]
        #  filter: not port 22
        #  peer_prefix: {ipv4: 24, ipv6: 56}
        #  keep_names: false

        # What the database may take; the oldest figures go first.
        storage:
          max_size: 2GiB
          raw: 90d
          hours: 2y
          days: 10y

        # Programs that are told when an incident opens or closes. Two are shipped, see /etc/tautline/hooks.
        hooks:
        #  mail:
        #    command: [/etc/tautline/hooks/mail]
        #    environment: {MAIL_TO: noc@example.net}
        #  webhook:
        #    command: [/etc/tautline/hooks/webhook]
        #    timeout: 10s
        #    attempts: 12
        #    environment: {WEBHOOK_URL: "${WEBHOOK_URL:-https://alerts.example.net/tautline}"}

        # When an incident opens. Without "hooks" it is recorded and shown only.
        alerts:
          - name: down
            when: {state: down}
            severity: critical
        #    hooks: [mail]
          - name: degraded
            when: {state: degraded}
            hold: 2m
            severity: warning
        #  - name: slow-vpn
        #    when: {rtt: {percentile: p95, above: 200ms, clear: 150ms}}
        #    rounds: 6 of 10
        #    severity: warning
        #    kinds: [vpn]
        #  - name: lossy-crm
        #    when: {loss: {above: 5%, clear: 2%}}
        #    rounds: 3 of 5
        #    hold: 1m
        #    targets: ["crm*"]
        #    hooks: [webhook]

        log:
          level: info

        """#
}
