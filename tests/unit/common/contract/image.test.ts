import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isolationOf, parseImage } from '../../../../src/common/contract/image.ts';

const hex = 'a'.repeat(64);

describe('the name of an image', () => {
  it.each([
    ['alpine', 'registry-1.docker.io', 'library/alpine', 'latest', null],
    ['alpine:3.20', 'registry-1.docker.io', 'library/alpine', '3.20', null],
    ['docker.io/library/alpine', 'registry-1.docker.io', 'library/alpine', 'latest', null],
    ['team/app', 'registry-1.docker.io', 'team/app', 'latest', null],
    ['ghcr.io/team/app:v1', 'ghcr.io', 'team/app', 'v1', null],
    ['localhost/app', 'localhost', 'app', 'latest', null],
    ['localhost:5000/a/b/c:x', 'localhost:5000', 'a/b/c', 'x', null],
    ['host:5000/app', 'host:5000', 'app', 'latest', null],
    [`ghcr.io/team/app@sha256:${hex}`, 'ghcr.io', 'team/app', null, `sha256:${hex}`],
    [`ghcr.io/team/app:v1@sha256:${hex}`, 'ghcr.io', 'team/app', 'v1', `sha256:${hex}`],
    ['docker://quay.io/team/app', 'quay.io', 'team/app', 'latest', null],
    ['docker:24', 'registry-1.docker.io', 'library/docker', '24', null],
  ])('%s is in a registry', (text, host, repository, tag, digest) => {
    expect(parseImage(text)).toEqual({ kind: 'registry', host, repository, tag, digest });
  });

  it('may be an archive beside the spec, an uploaded one, or lie on the node', () => {
    expect(parseImage('oci-archive:build/app.tar')).toEqual({ kind: 'archive-to-upload', path: 'build/app.tar' });
    expect(parseImage(`oci-archive:sha256:${hex}`)).toEqual({ kind: 'upload', sha256: hex });
    expect(parseImage('rootfs:/srv/images/debian')).toEqual({ kind: 'rootfs', path: '/srv/images/debian' });
    expect(parseImage('node-archive:/srv/app.tar')).toEqual({ kind: 'node-archive', path: '/srv/app.tar' });
  });

  it.each([
    '',
    'Alpine',
    'a b',
    '../etc',
    'app@sha256:abc',
    'app@md5:00',
    `app@sha256:${hex}@sha256:${hex}`,
    'ghcr.io/',
    'app:',
    'app:tag with space',
    '-oProxyCommand=x/app',
    'http://ghcr.io/app',
    'user@host/app',
    'oci-archive:',
    'oci-archive:sha256:zz',
    'rootfs:relative',
    'rootfs:/',
    'rootfs:/a/../b',
    'rootfs:/a//b',
    'node-archive:/a/./b',
    'ghcr.io/team/app\n',
  ])('%j is refused with what would be right', (text) => {
    const found = parseImage(text);
    expect(found.kind).toBe('bad');
    expect(found.kind === 'bad' && found.why).toMatch(/\w/);
  });

  it('never throws, and gives a registry only names that fit into a path', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'grapheme' })), (text) => {
        const found = parseImage(text);
        if (found.kind === 'registry') expect(`${found.host}/${found.repository}`).toMatch(/^[\w.:[\]/-]+$/);
      }),
    );
  });
});

describe('the level of a job', () => {
  it('is at least a container when it has an image', () => {
    expect(isolationOf({ image: 'a', isolation: 'process' })).toBe('container');
    expect(isolationOf({ image: 'a', isolation: 'sandbox' })).toBe('container');
    expect(isolationOf({ image: 'a', isolation: 'vm' })).toBe('vm');
    expect(isolationOf({ isolation: 'sandbox' })).toBe('sandbox');
  });
});
