import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { planFrontend } from './frontend-options.ts';
import { ignorePatterns } from './ignore-patterns.ts';

const plan = (options: Record<string, string>) => planFrontend(new Map(Object.entries(options)));

describe("options of BuildKit's frontend", () => {
  test('become a request', () => {
    const { request, context, subrequest } = plan({
      filename: 'web.Dockerfile',
      target: 'app',
      'build-arg:A': '1=2',
      'label:l': 'm',
      'no-cache': 'one,two',
      'image-resolve-mode': 'pull',
      'add-hosts': 'db=10.0.0.1,six=fd00::1',
      'force-network-mode': 'none',
      'shm-size': '8388608',
      ulimit: 'nofile=100:200,nproc=3',
      'context:base': 'docker-image://busybox',
      'local-sessionid:context': 's2',
      'cache-imports': '[{"Type":"registry","Attrs":{"ref":"r/c"}}]',
      'vcs:revision': 'abc',
    });
    assert.deepEqual(request.buildArgs, { A: '1=2' });
    assert.deepEqual(request.labels, { l: 'm' });
    assert.deepEqual([request.noCache, request.noCacheStages, request.pull], [false, ['one', 'two'], true]);
    assert.deepEqual(request.extraHosts, ['db:10.0.0.1', 'six:fd00::1']);
    assert.equal(request.networkMode, 'none');
    assert.equal(request.limits.shmSizeBytes, 8388608);
    assert.deepEqual(request.limits.ulimits, [
      { name: 'nofile', soft: 100, hard: 200 },
      { name: 'nproc', soft: 3, hard: 3 },
    ]);
    assert.deepEqual(request.cacheFrom, [{ type: 'registry', attributes: { ref: 'r/c' } }]);
    assert.equal(context.filename, 'web.Dockerfile');
    assert.deepEqual([...context.named], [['base', 'docker-image://busybox']]);
    assert.deepEqual([...context.sessions], [['context', 's2']]);
    assert.equal(subrequest, '');
  });

  test('an empty no-cache is for all stages', () => {
    assert.equal(plan({ 'no-cache': '' }).request.noCache, true);
    assert.equal(plan({}).request.noCache, false);
  });

  test('what is not known is refused by name', () => {
    for (const [options, message] of [
      [{ 'attest:vsa': '' }, 'unknown attestation type "vsa"'],
      [
        { 'attest:sbom': 'generator=example/scanner' },
        'sbom generator example/scanner is not supported: the daemon has its own',
      ],
      [{ hostname: 'x' }, 'build with hostname is not supported'],
      [
        { platform: 'linux/amd64,linux/arm64', 'multi-platform': '0' },
        'conflicting config: returning multiple target platforms is not allowed',
      ],
      [{ 'multi-platform': 'x' }, 'invalid boolean value for multi-platform: x'],
      [{ ulimit: 'nofile' }, 'invalid ulimit: nofile'],
      [{ 'shm-size': '-1' }, 'invalid shm-size: -1'],
      [{ 'cache-imports': '{' }, 'cache-imports is no JSON: {'],
      [{ 'cache-imports': '[{"Type":"gha"}]' }, 'a build cache of type gha is not supported'],
    ] as const) {
      assert.throws(() => plan(options), { message });
    }
  });

  test('patterns of .dockerignore', () => {
    const text = '\uFEFF# comment\n\n  *.md  \n!README.md\n/abs/\n./here\n! spaced\nend/\n';
    assert.deepEqual(ignorePatterns(text), ['*.md', '!README.md', 'abs', 'here', '!spaced', 'end']);
  });
});
