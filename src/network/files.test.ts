import assert from 'node:assert/strict';
import { test } from 'node:test';
import { embeddedResolvConfText, hostResolvConfText, hostsText, ownNames, parseResolvConf } from './files.ts';

const none = { dns: [], search: [], options: [] };

test('/etc/hosts has the defaults, extra hosts, and the container itself last', () => {
  assert.equal(
    hostsText(
      [{ address: '10.0.0.9', names: 'db' }],
      [{ address: '172.17.0.2', names: ownNames('web', 'example.org') }],
    ),
    `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
10.0.0.9\tdb
172.17.0.2\tweb.example.org web
`,
  );
});

test('the host s resolv.conf is kept as it is when all of it can be used', () => {
  const text = '# made by dhcp\nnameserver 192.0.2.53\noptions edns0\n';
  assert.equal(hostResolvConfText(text, none, false), text);
});

test('name servers on the host s loopback are left out, and replaced when none is left', () => {
  assert.equal(
    hostResolvConfText('search lan\nnameserver 127.0.0.53\nnameserver 192.0.2.53\n', none, false),
    'search lan\nnameserver 192.0.2.53\n',
  );
  assert.equal(
    hostResolvConfText('nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch a b\n', none, false),
    'search a b\nnameserver 8.8.8.8\nnameserver 8.8.4.4\noptions edns0 trust-ad\n',
  );
  assert.equal(hostResolvConfText('', none, false), 'nameserver 8.8.8.8\nnameserver 8.8.4.4\n');
});

test('what the caller gives replaces what the host has, each for itself', () => {
  const host = 'search lan\nnameserver 192.0.2.53\noptions edns0\n';
  assert.equal(
    hostResolvConfText(host, { ...none, dns: ['1.1.1.1', '9.9.9.9'] }, false),
    'search lan\nnameserver 1.1.1.1\nnameserver 9.9.9.9\noptions edns0\n',
  );
  assert.equal(
    hostResolvConfText(host, { ...none, search: ['.'], options: ['ndots:2'] }, false),
    'nameserver 192.0.2.53\noptions ndots:2\n',
  );
});

test('on networks of users the embedded name server is the only one', () => {
  assert.equal(
    embeddedResolvConfText('search lan\nnameserver 192.0.2.53\noptions edns0\n', none),
    'search lan\nnameserver 127.0.0.11\noptions edns0 ndots:0\n',
  );
  assert.equal(
    embeddedResolvConfText('', { search: ['a'], options: ['ndots:3'] }),
    'search a\nnameserver 127.0.0.11\noptions ndots:3\n',
  );
});

test('resolv.conf is read with comments and the last search list', () => {
  assert.deepEqual(
    parseResolvConf('; x\nnameserver 1.1.1.1 # first\n domain old\nsearch a b\noptions x y:1\nnonsense'),
    {
      nameservers: ['1.1.1.1'],
      search: ['a', 'b'],
      options: ['x', 'y:1'],
    },
  );
});
