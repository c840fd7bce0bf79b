import type { Scenario } from '../scenario.ts';

/** Asks 127.0.0.11 for each NAME/TYPE[/tcp or EDNS size], and shows what the answer's bytes say. */
const askPython = `import socket, struct, sys
kinds = {'A': 1, 'PTR': 12, 'MX': 15, 'TXT': 16, 'AAAA': 28}
codes = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED']

def labels(m, at):
    out = []
    while m[at]:
        if m[at] & 0xc0:
            at = struct.unpack('!H', m[at:at + 2])[0] & 0x3fff
            continue
        out.append(m[at + 1:at + 1 + m[at]].decode())
        at += 1 + m[at]
    return '.'.join(out)

def skip(m, at):
    while m[at]:
        if m[at] & 0xc0: return at + 2
        at += 1 + m[at]
    return at + 1

def ask(name, kind, how):
    edns = how.isdigit()
    q = struct.pack('!HHHHHH', 7, 0x100, 1, 0, 0, 1 if edns else 0)
    for label in name.split('.'): q += bytes([len(label)]) + label.encode()
    q += struct.pack('!BHH', 0, kinds[kind], 1)
    if edns: q += struct.pack('!BHHIH', 0, 41, int(how), 0, 0)
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if how == 'tcp' else socket.SOCK_DGRAM)
    s.settimeout(60)
    s.connect(('127.0.0.11', 53))
    if how != 'tcp':
        s.send(q)
        return s.recv(65535)
    s.sendall(struct.pack('!H', len(q)) + q)
    with s.makefile('rb') as f: return f.read(struct.unpack('!H', f.read(2))[0])

for question in sys.argv[1:]:
    name, kind, how = (question + '//').split('/')[:3]
    m = ask(name, kind or 'A', how)
    _, flags, _, count, _, _ = struct.unpack('!HHHHHH', m[:12])
    at = skip(m, 12) + 4
    found = set()
    for _ in range(count):
        at = skip(m, at)
        k, _, ttl, size = struct.unpack('!HHIH', m[at:at + 10])
        at += 10
        data = m[at:at + size]
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(k)
        value = socket.inet_ntop(family, data) if family else labels(m, at) if k == 12 else data[1:21].decode()
        found.add('%d %s' % (ttl, value))
        at += size
    print(question, codes[flags & 15], 'truncated' if flags & 0x200 else '', count, *sorted(found))
`;

/** A name server at 127.0.0.1: some names are special, all others are 192.0.2.1 or 2001:db8::1. */
const serverPython = `import signal, socket, struct, sys, threading

def answer(m, peer, tcp):
    at = 12
    while m[at]: at += 1 + m[at]
    kind = struct.unpack('!H', m[at + 1:at + 3])[0]
    edns = m[at + 5:at + 8] == bytes([0, 0, 41])
    size = struct.unpack('!H', m[at + 8:at + 10])[0] if edns else 0
    flags, data, name = 0x8180, [], m[13:13 + m[12]].decode()
    text = lambda t: (16, bytes([len(t)]) + t.encode())
    if name == 'nobody': flags |= 3
    elif name == 'fail': flags |= 2
    elif name == 'who': data = [text(peer)]
    elif name == 'edns': data = [text(str(size))]
    elif name == 'big' and not tcp: flags |= 0x200
    elif name == 'big': data = [text('x' * 200)] * 20
    elif kind == 1: data = [(1, socket.inet_aton('192.0.2.1'))]
    elif kind == 28: data = [(28, socket.inet_pton(socket.AF_INET6, '2001:db8::1'))]
    out = m[:2] + struct.pack('!HHHHH', flags, 1, len(data), 0, 0) + m[12:at + 5]
    for k, d in data: out += struct.pack('!HHHIH', 0xc00c, k, 1, 5, len(d)) + d
    return out

def serve_tcp():
    while True:
        c, peer = tcp.accept()
        with c, c.makefile('rb') as f:
            a = answer(f.read(struct.unpack('!H', f.read(2))[0]), peer[0], True)
            c.sendall(struct.pack('!H', len(a)) + a)

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(('127.0.0.1', 53))
tcp = socket.socket()
tcp.bind(('127.0.0.1', 53))
tcp.listen()
threading.Thread(target=serve_tcp, daemon=True).start()
signal.alarm(300)
open(sys.argv[1], 'w')
while True:
    m, peer = udp.recvfrom(65535)
    udp.sendto(answer(m, peer[0], False), peer)
`;

const files = { 'ask.py': askPython, 'server.py': serverPython };

/** Inside a container's network, by the host's programs: busybox has neither types nor TCP. */
const inside = (container: string, line: string): string =>
  `daemon nsenter -t $(docker inspect --format '{{.State.Pid}}' ${container}) -n python3 ${line}`;
const ask = (container: string, questions: string): string => inside(container, `$PWD/ask.py ${questions}`);
const run = (name: string, options: string): string =>
  `docker run -d --name ${name} --stop-signal KILL ${options} busybox sleep 1000 >/dev/null`;

export const namesScenarios: readonly Scenario[] = [
  {
    name: 'names: every name of a container, and its addresses’ names',
    files,
    steps: [
      {
        run: [
          'docker network create --subnet 10.125.0.0/24 $N-a >/dev/null',
          'docker network create --subnet 10.126.0.0/24 --internal $N-b >/dev/null',
          run('$N-web', '--network $N-a --ip 10.125.0.10 --network-alias www --network-alias twice'),
          run('$N-Two', '--network $N-a --ip 10.125.0.11 --network-alias twice --link $N-web:linked'),
          run('$N-in', '--network $N-b --ip 10.126.0.12'),
          'docker network connect --ip 10.126.0.10 --alias late $N-b $N-web',
        ].join('; '),
        setup: true,
      },
      `short=$(docker inspect --format '{{.Id}}' $N-web | cut -c1-12); ${ask('$N-Two', '$short $N-web $N-WEB $N-web.$N-a www www/A/tcp twice twice/A/1400 linked $N-two')}`,
      ask('$N-Two', 'www/AAAA www/MX 10.0.125.10.in-addr.arpa/PTR 11.0.125.10.in-addr.arpa/PTR'),
      ask('$N-web', '$N-in $N-in.$N-b 12.0.126.10.in-addr.arpa/PTR www late $N-web.$N-b'),
      ask('$N-in', 'late $N-in late/MX'),
      { run: 'docker rename $N-web $N-new; docker network disconnect $N-b $N-new', setup: true },
      ask('$N-Two', '$N-new www 10.0.125.10.in-addr.arpa/PTR'),
    ],
  },
  {
    name: 'names: what no container is called goes to other servers',
    files,
    steps: [
      {
        run: `docker network create $N >/dev/null; ${run('$N', '--network $N --dns 127.0.0.1')}; ${inside('$N', '$PWD/server.py $PWD/ready')} >/dev/null 2>&1 & until [ -e ready ]; do sleep 0.1; done`,
        setup: true,
      },
      ask(
        '$N',
        'some.example some.example/AAAA some.example/A/tcp single nobody.example fail.example $N.other',
      ),
      ask('$N', 'who.example/TXT who.example/TXT/tcp edns.example/TXT edns.example/TXT/1400'),
      ask('$N', 'big.example/TXT big.example/TXT/tcp 9.9.9.9.in-addr.arpa/PTR some.example/MX'),
    ],
  },
  {
    name: 'names: options and search domains on networks with names',
    files,
    steps: [
      {
        run: `docker network create $N >/dev/null; ${run('$N', '--network $N --dns 127.0.0.1 --dns-option ndots:2 --dns-search a.test')}; ${inside('$N', '$PWD/server.py $PWD/ready')} >/dev/null 2>&1 & until [ -e ready ]; do sleep 0.1; done`,
        setup: true,
      },
      ask('$N', 'single single/AAAA single/MX some.example $N'),
      'docker exec $N cat /etc/resolv.conf',
      'docker run --rm --network $N --dns-search . --dns-option timeout:1 busybox cat /etc/resolv.conf',
      'docker run --rm --network $N --add-host gw:host-gateway --add-host six:::1 busybox grep -E "gw|six" /etc/hosts',
    ],
  },
];
