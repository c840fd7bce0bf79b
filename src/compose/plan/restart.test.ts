import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dependency, Project } from '../project.ts';
import { restartGroups } from './restart.ts';

const on = (restart: boolean): Dependency => ({ condition: 'service_started', restart, required: true });

const project: Project = {
  name: 'p',
  services: {
    web: { depends_on: { api: on(true) } },
    api: { depends_on: { db: on(true), log: on(false) } },
    db: {},
    log: {},
  },
};

test('what wants to be restarted with another service is, after it', () => {
  assert.deepEqual(restartGroups(project, ['db'], true), [['db'], ['api'], ['web']]);
  assert.deepEqual(restartGroups(project, ['log'], true), [['log']]);
  assert.deepEqual(restartGroups(project, [], true), [['db', 'log'], ['api'], ['web']]);
});

test('without dependents only what was asked for is, still in order', () => {
  assert.deepEqual(restartGroups(project, ['db'], false), [['db']]);
  assert.deepEqual(restartGroups(project, ['web', 'api'], false), [['api'], ['web']]);
});
