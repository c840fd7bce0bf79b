import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProxy, proxyFor, withoutSecrets } from './proxies.ts';

const proxies = { http: 'http://plain:1', https: 'http://secure:2', except: '' };
const through = (url: string, except = '') => proxyFor(new URL(url), { ...proxies, except });

test('each scheme has its proxy, loopback none', () => {
  assert.equal(through('https://reg.test/v2/'), 'http://secure:2');
  assert.equal(through('http://reg.test/v2/'), 'http://plain:1');
  for (const host of ['localhost:5000', '127.0.0.1', '127.9.9.9:5000', '[::1]:5000']) {
    assert.equal(through(`http://${host}/`), undefined, host);
  }
  assert.equal(proxyFor(new URL('https://reg.test/'), { ...proxies, https: '' }), undefined);
});

test('exceptions', () => {
  const cases: [except: string, direct: string[], proxied: string[]][] = [
    ['*', ['reg.test', '10.0.0.1'], []],
    ['reg.test', ['reg.test', 'REG.test', 'a.reg.test', 'reg.test:5000'], ['areg.test', 'test']],
    [' x, .reg.test ', ['a.reg.test', 'x'], ['reg.test']],
    ['*.reg.test', ['a.reg.test'], ['reg.test']],
    ['reg.test:5000', ['reg.test:5000', 'a.reg.test:5000'], ['reg.test', 'reg.test:5001']],
    ['reg.test:443', ['reg.test'], ['reg.test:5000']],
    ['10.0.0.0/8,192.168.1.1', ['10.200.0.1', '192.168.1.1:5000'], ['11.0.0.1', '192.168.1.2']],
    ['192.168.1.1:5000', ['192.168.1.1:5000'], ['192.168.1.1']],
    ['fd00::/8,fe00::1', ['[fd12::1]', '[fe00::1]:5000'], ['[fe00::2]']],
    ['[fe00::1]:5000', ['[fe00::1]:5000'], ['[fe00::1]']],
    ['', [], ['reg.test']],
    [',,', [], ['reg.test']],
  ];
  for (const [except, direct, proxied] of cases) {
    for (const host of direct)
      assert.equal(through(`https://${host}/`, except), undefined, `${except}: ${host}`);
    for (const host of proxied)
      assert.equal(through(`https://${host}/`, except), proxies.https, `${except}: ${host}`);
  }
});

test('a proxy is a URL of http or https, or an address', () => {
  assert.equal(parseProxy('proxy:3128'), 'http://proxy:3128');
  assert.equal(parseProxy('https://proxy'), 'https://proxy');
  assert.equal(parseProxy(''), '');
  assert.throws(() => parseProxy('socks5://me:secret@proxy'), {
    message: 'invalid proxy "socks5://xxxxx:xxxxx@proxy": scheme socks5 is not supported, use http or https',
  });
  assert.throws(() => parseProxy('http://a b'), /not a URL/);
  assert.equal(withoutSecrets('http://me:secret@proxy:1/'), 'http://xxxxx:xxxxx@proxy:1/');
  assert.equal(withoutSecrets('http://proxy:1/'), 'http://proxy:1/');
});
