/** Projects, by what they are about: files by name. What docker compose prints of each is recorded in golden/valid/. */
export const validProjects: Record<string, Record<string, string>> = {
  'every short form': {
    'compose.yaml': `
name: demo
services:
  web:
    build: .
    command: nginx -g "daemon off;"
    ports: ["8080:80", "127.0.0.1:5000-5001:5000-5001/udp", "9000", "[::1]:90:91/sctp", "7000-7002:70"]
    environment: [A=1, B, C=]
    volumes: ["./data:/data:ro", "vol:/v", "/anon", "~/x:/x:z,rshared", "/d"]
    depends_on: [db]
    networks: [front, default]
    extra_hosts: ["a:1.2.3.4", "b=::1", "b=::2"]
    devices: ["/dev/null:/dev/xnull:rw", "/dev/zero"]
    ulimits: {nofile: 1000, nproc: {soft: 1, hard: 2}}
    labels: [x=1, y]
    secrets: [s1]
    configs: [c1]
    tmpfs: /run
    dns: 8.8.8.8
    sysctls: [net.core.somaxconn=1024]
    healthcheck: {test: curl localhost, interval: 1m30s, retries: 3}
    env_file: web.env
  db:
    image: postgres
    entrypoint: ["a", "b c"]
networks: {front: }
volumes: {vol: }
secrets: {s1: {file: ./s}}
configs: {c1: {content: "hi"}}
`,
    'web.env': 'E=1\nA=2\n',
  },
  'every long form': {
    'compose.yaml': `
name: demo
services:
  web:
    build:
      context: ./web
      dockerfile: D
      args: {A: 1, B: null, C: true}
      labels: {l: 1.5}
      cache_from: [a/b]
      additional_contexts: {base: ./base, img: docker-image://x}
      extra_hosts: {h: 1.2.3.4}
      target: t
      secrets: [s1, {source: s1, target: other}]
      shm_size: 64mb
      tags: [a/b:1]
      ulimits: {nofile: 10}
      platforms: [linux/amd64]
      no_cache: true
    platform: linux/amd64
    ports:
      - {target: 80, published: 8080, host_ip: 127.0.0.1, protocol: udp, mode: host, name: http}
      - {target: 81}
    volumes:
      - {type: bind, source: ./d, target: /d, read_only: true, bind: {propagation: rslave, create_host_path: false}}
      - {type: volume, source: vol, target: /v/, volume: {nocopy: true, subpath: a, labels: {x: y}}}
      - {type: tmpfs, target: /t, tmpfs: {size: 10m, mode: 01777}}
      - {type: image, source: busybox, target: /i, image: {subpath: bin}}
    networks:
      front: {aliases: [w, w2], ipv4_address: 10.9.0.5, priority: 5, mac_address: "02:00:00:00:00:01"}
      default:
    depends_on:
      db: {condition: service_healthy, restart: true, required: false}
    deploy:
      replicas: 2
      labels: {a: b}
      resources:
        limits: {cpus: '0.5', memory: 50M, pids: 10}
        reservations: {memory: 20M, devices: [{capabilities: [gpu], count: 1}]}
      restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3, window: 2m}
      placement: {constraints: [node.role == manager]}
      update_config: {parallelism: 1, delay: 10s, order: start-first}
    secrets: [{source: s1, target: /s, uid: "103", gid: "103", mode: 0440}]
    configs: [{source: c1, target: /c, mode: 0444}]
    logging: {driver: json-file, options: {max-size: 1m, max-file: 3}}
    stop_grace_period: 1m
    init: false
    blkio_config: {weight: 300, device_read_bps: [{path: /dev/sda, rate: 12mb}]}
    x-foo: {b: 1, a: [2]}
  db:
    image: db
    healthcheck: {test: [CMD, "true"], start_period: 1h, start_interval: 500ms, timeout: 3s, disable: false}
networks:
  front:
    driver: bridge
    driver_opts: {com.docker.network.driver.mtu: 1400}
    enable_ipv6: true
    ipam: {driver: default, config: [{subnet: 10.9.0.0/24, gateway: 10.9.0.1, ip_range: 10.9.0.0/25, aux_addresses: {h: 10.9.0.9}}]}
    internal: true
    attachable: true
    labels: [a=b]
  out: {external: true, name: real}
volumes:
  vol: {driver: local, driver_opts: {type: tmpfs, device: tmpfs, o: size=1m}, labels: {a: b}}
secrets: {s1: {environment: HOME}}
configs: {c1: {file: ./c}}
x-top: {z: 1}
`,
  },
  'limits of a service': {
    'compose.yaml': `
name: demo
services:
  a:
    image: x
    mem_limit: 1.5g
    memswap_limit: -1
    mem_reservation: 100000
    mem_swappiness: 10
    cpus: 1.5
    cpu_shares: 512
    cpuset: 0,1
    cpu_period: 100000
    cpu_quota: "50000"
    pids_limit: -1
    shm_size: 64m
    oom_score_adj: -500
    oom_kill_disable: true
    privileged: "true"
    read_only: true
    cap_add: [NET_ADMIN, NET_ADMIN, ALL]
    cap_drop: [MKNOD]
    security_opt: [no-new-privileges]
    user: "1000:1000"
    group_add: [100, mail]
    userns_mode: host
    ipc: shareable
    pid: host
    uts: host
    cgroup: host
    cgroup_parent: /p
    hostname: h
    domainname: d
    stdin_open: true
    tty: true
    working_dir: /w
    stop_signal: SIGINT
    restart: on-failure:3
    runtime: crun
    scale: 0
    expose: [80, "90", "100-110/udp"]
    dns_search: [a.b, c]
    dns_opt: [ndots:1]
    storage_opt: {size: 1G}
    annotations: {a: b}
    attach: false
    pull_policy: if_not_present
    container_name: only
    device_cgroup_rules: ["c 1:3 mr"]
    mac_address: "02:00:00:00:00:02"
    links: [c, "c:other"]
    external_links: [c]
    volumes_from: [c:ro, "container:old"]
    profiles: []
  b: {image: y, network_mode: "service:a", pid: "service:a"}
  c: {image: z}
`,
  },
  'variables in all forms': {
    '.env':
      'TAG=1.2\nEMPTY=\nQUOTED="a b"\nSINGLE=\'$NOT\'\nREF=${TAG}-x # comment\nexport EXPORTED=yes\nYAML: style\n',
    'compose.yaml': `
name: demo
services:
  a:
    image: x:\${TAG}
    environment:
      A: $TAG
      B: \${EMPTY:-default}
      C: \${EMPTY-default}
      D: \${TAG:+set}
      E: \${NONE+set}
      F: \${NONE:-\${TAG:-x}}
      G: $$TAG
      H: "a $ b $1"
      I: \${QUOTED}\${SINGLE}
      J: \${REF}
      K: \${EXPORTED} \${YAML}
      L: \${TAG:?needed}
      M: \${NONE:-a}\${EMPTY:-}b
    ports: ["\${PORT:-8080}:80"]
    privileged: \${PRIV:-true}
    cpu_shares: \${SHARES:-10}
    healthcheck: {test: "echo $$HOME", retries: "\${RETRIES:-4}"}
`,
  },
  'anchors and merge keys': {
    'compose.yaml': `
name: demo
x-base: &base
  image: x
  environment: &env {A: 1, B: 2}
  labels: {l: base}
services:
  a:
    <<: *base
    labels: {l: a}
  b:
    <<: [*base, {restart: always, image: never}]
    environment: {<<: *env, B: 3}
  c: *base
`,
  },
  'an override file': {
    'compose.yaml': `
name: demo
services:
  a:
    image: x
    command: [one, two]
    environment: {A: 1, B: 2}
    ports: ["80:80", "90:90"]
    volumes: ["./a:/a", "vol:/v"]
    labels: [a=1, b=2]
    dns: [1.1.1.1]
    cap_add: [A]
    depends_on: [b]
    networks: [one]
    logging: {driver: syslog, options: {syslog-address: "tcp://1.2.3.4:5"}}
    deploy: {replicas: 1, resources: {limits: {memory: 10M}}}
    healthcheck: {test: [CMD, a], interval: 5s}
    ulimits: {nofile: {soft: 1, hard: 2}}
    extra_hosts: [h=1.1.1.1]
    build: ./ctx
    env_file: [a.env]
    expose: [80]
    sysctls: {a: 1}
    tmpfs: [/tmp]
  b: {image: y}
networks: {one: {driver: bridge, labels: {a: b}}}
volumes: {vol: }
`,
    'a.env': 'FROM_A=1\n',
    'b.env': 'FROM_B=1\n',
    'compose.override.yaml': `
services:
  a:
    image: z
    command: three
    environment: [B=3, C=4]
    ports: ["80:80", "91:91"]
    volumes: ["./other:/a"]
    labels: {b: 3}
    dns: 2.2.2.2
    cap_add: [A, B]
    depends_on: {c: {condition: service_started}}
    networks: {two: {aliases: [t]}}
    logging: {driver: json-file, options: {max-size: 1m}}
    deploy: {resources: {limits: {cpus: '1'}}}
    healthcheck: {interval: 10s}
    ulimits: {nofile: 5}
    extra_hosts: [h=1.1.1.1, g=2.2.2.2]
    build: {args: {A: b}}
    env_file: b.env
    expose: [80, 81]
    sysctls: [b=2]
    tmpfs: /b
  c: {image: c}
networks: {one: {labels: {c: d}}, two: }
`,
  },
  'reset and override': {
    'compose.yaml': `
name: demo
services:
  a: {image: x, command: a, ports: ["80:80"], environment: {A: 1, B: 2}, labels: {a: b}}
  b: {image: y}
`,
    'compose.override.yaml': `
services:
  a:
    command: !reset null
    ports: !override ["90:90"]
    environment: {A: !reset null}
    labels: !reset {}
  b: !reset null
`,
  },
  'services that extend': {
    'compose.yaml': `
name: demo
services:
  base: {image: x, environment: {A: 1, B: 1}, volumes: ["./here:/a"], labels: {from: base}}
  a: {extends: base, environment: {B: 2}, command: run}
  b: {extends: {service: a}, environment: {C: 3}}
  c: {extends: {file: sub/other.yaml, service: far}, ports: ["80:80"]}
`,
    'sub/other.yaml': `
services:
  near: {image: n, volumes: ["./d:/d"], env_file: near.env}
  far: {extends: near, build: ./ctx}
`,
    'sub/near.env': 'NEAR=1\n',
  },
  'included projects': {
    'compose.yaml': `
name: demo
include:
  - sub/compose.yaml
  - {path: [two/a.yaml, two/b.yaml], project_directory: two, env_file: two/vars}
services:
  a: {image: x, depends_on: [inner]}
`,
    'sub/compose.yaml':
      'services: {inner: {image: "i:${V:-none}", volumes: ["./d:/d", "data:/v"]}}\nvolumes: {data: }\n',
    'sub/.env': 'V=sub\n',
    'two/a.yaml': 'services: {second: {image: "s:${V}", command: a}}\n',
    'two/b.yaml': 'services: {second: {command: b}}\n',
    'two/vars': 'V=two\n',
  },
  profiles: {
    'compose.yaml': `
name: demo
services:
  a: {image: x}
  b: {image: y, profiles: [debug], networks: [only]}
  c: {image: z, depends_on: {b: {condition: service_started, required: false}}}
networks: {only: }
`,
  },
  'hooks and watching': {
    'compose.yaml': `
name: demo
services:
  a:
    build: .
    post_start: [{command: echo hi, user: root, environment: [A=1]}]
    pre_stop: [{command: [a, b], working_dir: /w, privileged: true}]
    develop:
      watch:
        - {path: ./src, action: sync, target: /src, ignore: node_modules/}
        - {path: package.json, action: rebuild}
        - {path: ./c, action: sync+exec, target: /c, exec: {command: reload}, include: ["*.c"]}
`,
  },
  'words of YAML that are text or numbers': {
    'compose.yaml': `
name: demo
services:
  a:
    image: x
    environment: {A: yes, B: 0777, C: 1.10, D: 1e3, E: 0x10, F: true, G: ~, H: "on", I: "2001-01-01", J: 12:30, K: 1_000, L: 'it''s', M: "tab\\tnew\\nline"}
    command: ["8", "true", "null", "", " pad ", "a: b", "a #b", "- x", "*", "@x", "\`x", "{}", "[]", "x:", "~", "=", "#", "multi\\nline\\n", "y", "0x1f", "1e3", "1.0", "-", "!x", "%x", "a'b", 'a"b']
    labels: {"8": a, "y": b, "with space": c}
`,
  },
  'an external volume with another name': {
    'compose.yaml': `
name: demo
services: {a: {image: x, volumes: ["one:/v", "two:/w"], networks: [n]}}
volumes: {one: {external: {name: real}}, two: {name: "named-\${X:-w}"}}
networks: {n: {external: true}}
`,
  },
  'a name for the project from its directory': { 'compose.yaml': 'services: {a: {image: x}}\n' },
  'two documents in a file': {
    'compose.yaml':
      'name: demo\nservices: {a: {image: x}}\n---\nservices: {a: {command: c}, b: {image: y}}\n',
  },
  'configs and secrets of all kinds': {
    '.env': 'FROM_ENV=value\n',
    'compose.yaml': `
name: demo
services: {a: {image: x, configs: [one, two, three], secrets: [s, {source: t, target: elsewhere}]}}
configs: {one: {content: "a=\${FROM_ENV}\\nb"}, two: {environment: FROM_ENV}, three: {file: ./f, name: x}}
secrets: {s: {environment: FROM_ENV}, t: {external: true}}
`,
  },
  'sections without anything': {
    'compose.yaml': `
services:
  a:
    image: x
    build: {}
    mem_limit: 0
    shm_size: "0"
    profiles: [""]
    storage_opt: {size: 1}
    provider: {type: p, options: {one: 1, several: [1, b], no: false}}
    deploy: {replicas: 0, update_config: {}, rollback_config: {}, restart_policy: {}, placement: {}, resources: {}}
    healthcheck: {}
    logging: {}
    blkio_config: {}
    credential_spec: {}
`,
  },
  'an include without anything': { 'compose.yaml': 'include:\nservices: {a: {image: x}}\n' },
  'no services': { 'compose.yaml': 'services: {}\nvolumes: {v: }\n' },
  'keys and texts': {
    'compose.yaml': `
services:
  a:
    image: x
    environment: {A: "\\x07", B: "\\e[0m", C: "\\U0001F600", D: "'q'", E: "\\na", F: "a\\n ", G: "---", H: "2001-1-1", I: oN, J: .inf}
    labels: {"a\\nb": "1", x01: "2", x1: "3", "é": "4"}
x-n: [1e-7, 1e21, .inf]
x-i: &i
  k: &k [1]
x-j: {i: *i, k: *k}
`,
  },
  'an override that says nothing': {
    'compose.yaml': `
services:
  a:
    image: x
    environment: {A: 1}
    ports: ["80"]
    command: [c]
    deploy: {replicas: 2}
networks: {n: {labels: {a: b}}}
`,
    'compose.override.yaml': `
services:
  a:
    image:
    environment:
    # - B=1
    ports:
    command:
    deploy: {replicas: }
    volumes: [!reset /x, /y]
networks: {n: {labels: }}
`,
  },
  'extending one service of a file with others': {
    'compose.yaml': `
services:
  a:
    extends: {file: sub/other.yaml, service: b}
    environment:
`,
    'sub/other.yaml':
      'services: {b: {extends: c, user: u}, c: {image: x, environment: {C: 1}}, broken: {imagge: y}}\n',
  },
  'variables in place of numbers and words': {
    'compose.yaml': `
services:
  a:
    image: "x:\${TAG:-latest}"
    privileged: \${PRIVILEGED:-false}
    shm_size: \${SHM:-10m}
    stop_grace_period: \${GRACE:-10s}
    ports: ["\${PORT:-8080}:80", {target: "\${TARGET:-81}"}]
    command: "echo \${NOTHING-} x"
    environment: {A: "\${B-b}", C: 1, D: }
    deploy: {replicas: "\${REPLICAS:-2}", resources: {limits: {cpus: "\${CPUS:-0.5}", pids: "\${PIDS:-5}"}}}
    healthcheck: {test: "x \${Y-}", interval: "\${INTERVAL:-1s}", retries: "\${RETRIES:-3}", disable: "\${DISABLE:-false}"}
    extra_hosts: ["\${HOST:-h}:\${ADDRESS:-1.2.3.4}"]
    labels: [a=1, "b=\${B-b}"]
    build: {context: ./c, no_cache: "\${NO_CACHE:-true}", shm_size: "\${SHM:-1m}", args: [A=1]}
networks: {default: {internal: "\${INTERNAL:-false}", driver_opts: {a: 1}, ipam: {config: [{subnet: "\${SUBNET:-10.0.0.0/8}"}]}}}
`,
  },
  'an env file with odd lines': {
    'compose.yaml': 'services: {a: {image: x, env_file: e.env}}\n',
    'e.env': 'A=#a\nB= # b\nC="c\r\nd"\nD=d #e #f\nE=e\r\nF=${NOT_SET}\n',
  },
};
