import { expect, test } from 'vitest';
import { deriveLogins, parseDatabaseUrl } from '../../../../src/common/database/index.ts';

test.each([
  ['postgres://admin:secret@db.example:6432/solyx', { host: 'db.example', port: 6432, user: 'admin' }, 'solyx'],
  ['postgresql://admin@db.example/postgres', { host: 'db.example', port: 5432, user: 'admin' }, 'solyx'],
  ['postgres://admin:s%40fe@db.example/team%2Done', { password: 's@fe' }, 'team-one'],
  ['postgres://admin@localhost/solyx?host=%2Frun%2Fpg', { host: '/run/pg' }, 'solyx'],
])('%s', (url, admin, database) => {
  const parsed = parseDatabaseUrl(url);
  expect(parsed.admin).toMatchObject(admin);
  expect(parsed.database).toBe(database);
});

test.each(['mysql://x/y', 'solyx', ''])('%j is no PostgreSQL URL', (url) => {
  expect(() => parseDatabaseUrl(url)).toThrow(expect.objectContaining({ code: 'config_invalid' }));
});

test('every replica derives the same passwords, each role another, none the one given', () => {
  const { admin } = parseDatabaseUrl('postgres://admin:secret@db.example/solyx');
  const logins = deriveLogins(admin, 'solyx');
  expect(deriveLogins(admin, 'solyx')).toEqual(logins);
  const passwords = [admin.password, logins.owner.password, logins.app.password, logins.system.password];
  expect(new Set(passwords).size).toBe(4);
  expect([logins.owner.user, logins.app.user, logins.system.user]).toEqual([
    'solyx_owner',
    'solyx_app',
    'solyx_system',
  ]);
});

test('a URL of solyx_owner itself is used as it is for migrations', () => {
  const { admin, database } = parseDatabaseUrl('postgres://solyx_owner:secret@db.example/solyx');
  expect(deriveLogins(admin, database).owner).toMatchObject({ user: 'solyx_owner', password: 'secret' });
});

test('a server that trusts its socket needs no passwords', () => {
  const logins = deriveLogins({ host: '/run/pg', user: 'postgres' }, 'solyx');
  expect([logins.owner, logins.app, logins.system].map((login) => login.password)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
