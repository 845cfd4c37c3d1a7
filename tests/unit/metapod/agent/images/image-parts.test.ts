/** What is read from an image and made of it: configuration, user, layout, what to delete. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { imagesToDelete } from '../../../../../src/metapod/agent/images/collect.ts';
import { isInnerAddress } from '../../../../../src/metapod/agent/images/http.ts';
import { bareConfig, commandOf, imageConfigOf } from '../../../../../src/metapod/agent/images/image-config.ts';
import { resolveUser } from '../../../../../src/metapod/agent/images/image-user.ts';
import { choosePlatform } from '../../../../../src/metapod/agent/images/manifest.ts';
import { parseChallenge } from '../../../../../src/metapod/agent/images/registry.ts';

describe('what is run', () => {
  const image = { ...bareConfig, entrypoint: ['python'], cmd: ['app.py', '--port=80'] };

  it.each([
    ['nothing of its own', [], null, ['python', 'app.py', '--port=80']],
    ['arguments', [], ['test.py'], ['python', 'test.py']],
    ['no arguments at all', [], [], ['python']],
    ['a command', ['sh', '-c', 'x'], null, ['sh', '-c', 'x']],
  ])('by a job with %s', (_, command, args, words) => {
    expect(commandOf(image, command, args)).toEqual(words);
  });

  it('is nothing when nobody says anything', () => {
    expect(() => commandOf(bareConfig, [], null)).toThrow(/^image_no_command: /);
    expect(() => commandOf({ ...bareConfig, cmd: [''] }, [], null)).toThrow(/^image_no_command: /);
  });
});

describe("an image's configuration", () => {
  it('is taken where it makes sense and left where it does not', () => {
    const config = imageConfigOf({
      config: {
        Env: ['A=1', 'B=x=y', 'no equals sign', '=empty', 'BAD-NAME=1', 'NUL=\0', 'LD_PRELOAD=/evil.so'],
        WorkingDir: '/srv/app/',
        Entrypoint: ['run', 'with\0nul'],
        Cmd: null,
        User: 'app',
      },
    });
    expect(config).toEqual({
      user: 'app',
      env: { A: '1', B: 'x=y', LD_PRELOAD: '/evil.so' },
      entrypoint: ['run'],
      cmd: [],
      workingDirectory: '/srv/app',
    });
  });

  it.each(['relative', '/a/../../etc', '/\0', ''])('has no working directory %j', (directory) => {
    expect(imageConfigOf({ config: { WorkingDir: directory } }).workingDirectory).toBe('/');
  });
});

describe("an image's user", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'solyx-test-user-'));
    mkdirSync(join(root, 'etc'));
    writeFileSync(
      join(root, 'etc/passwd'),
      'root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\nbad:x:-1:0\n',
    );
    writeFileSync(join(root, 'etc/group'), 'app:x:1001:\nvideo:x:44:app,other\nhuge:x:99999999999:app\n');
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it.each([
    ['', 0, 0, []],
    ['app', 1000, 1001, [44]],
    ['1000', 1000, 1001, [44]],
    ['app:video', 1000, 44, []],
    ['1234', 1234, 0, []],
    ['1234:55', 1234, 55, []],
  ])('%j is found', (user, uid, gid, groups) => {
    expect(resolveUser(root, user)).toEqual({ uid, gid, groups });
  });

  it.each(['nobody-knows', 'bad', '70000', '-1', 'app:nogroup'])('%j is refused', (user) => {
    expect(() => resolveUser(root, user)).toThrow(/^image_no_user: its? /);
  });

  it("is never looked up in the host's files", () => {
    rmSync(join(root, 'etc'), { recursive: true });
    symlinkSync('/etc', join(root, 'etc'));
    expect(() => resolveUser(root, 'daemon')).toThrow('does not know');
  });
});

describe('images that make room', () => {
  const image = (key: string, sizeBytes: number, day: number) => ({
    key,
    sizeBytes,
    usedAt: new Date(day * 86_400_000),
  });
  const images = [image('b', 40, 2), image('a', 30, 1), image('c', 50, 3)];

  it('are those that were not used for the longest time, and only as many as needed', () => {
    expect(imagesToDelete(images, new Set(), 200)).toEqual([]);
    expect(imagesToDelete(images, new Set(), 100)).toEqual(['a']);
    expect(imagesToDelete(images, new Set(), 60)).toEqual(['a', 'b']);
    expect(imagesToDelete(images, new Set(), 0)).toEqual(['a', 'b', 'c']);
  });

  it('are never in use', () => {
    expect(imagesToDelete(images, new Set(['a']), 60)).toEqual(['b', 'c']);
    expect(imagesToDelete(images, new Set(['a', 'b', 'c']), 0)).toEqual([]);
  });
});

describe('registries', () => {
  it('are never looked for at addresses of the node itself', () => {
    const inner = [
      '127.0.0.1',
      '127.8.8.8',
      '0.0.0.0',
      '169.254.169.254',
      '::1',
      '::',
      'fe80::1',
      '::ffff:169.254.169.254',
      '::ffff:127.0.0.1',
      '224.0.0.1',
      'no address',
    ];
    expect(inner.filter((address) => !isInnerAddress(address))).toEqual([]);
    expect(['10.0.0.1', '192.168.1.1', '93.184.216.34', '2001:db8::1'].filter(isInnerAddress)).toEqual([]);
  });

  it('say how they want to be shown who asks', () => {
    expect(parseChallenge('Bearer realm="https://auth.example/token",service="reg",scope="x"')).toEqual({
      scheme: 'bearer',
      parameters: { realm: 'https://auth.example/token', service: 'reg', scope: 'x' },
    });
    expect(parseChallenge('Basic realm="x"').scheme).toBe('basic');
    expect(parseChallenge('').scheme).toBe('');
    expect(parseChallenge('Bearer realm=unquoted').parameters).toEqual({});
  });

  it('are asked for the image of this kind of machine', () => {
    const of = (architecture: string, os = 'linux') => ({
      digest: `sha256:${architecture}`,
      size: 1,
      platform: { architecture, os },
    });
    expect(choosePlatform([of('arm64'), of('amd64')], 'amd64').digest).toBe('sha256:amd64');
    expect(() => choosePlatform([of('arm64'), of('amd64', 'windows')], 'amd64')).toThrow('image_not_found');
  });
});
