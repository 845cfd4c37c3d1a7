import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openerOf, openInBrowser } from '../../../src/cli/browser.ts';
import { until } from '../../support/until.ts';

describe('opening a browser', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'solyx-open-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** An opener that writes down its arguments. */
  function opener(end: string): string {
    const file = join(folder, 'opener');
    writeFileSync(file, `#!/bin/sh\nprintf '%s\\n' "$@" > ${folder}/arguments\n${end}\n`);
    chmodSync(file, 0o700);
    return file;
  }

  it('is tried only where somebody sits before it', () => {
    expect(openerOf('linux', { DISPLAY: ':0' }, true)).toBe('xdg-open');
    expect(openerOf('linux', { WAYLAND_DISPLAY: 'wayland-0' }, true)).toBe('xdg-open');
    expect(openerOf('darwin', {}, true)).toBe('open');
    expect(openerOf('linux', {}, true)).toBeUndefined();
    expect(openerOf('linux', { DISPLAY: ':0' }, false)).toBeUndefined();
    expect(openerOf('linux', { DISPLAY: ':0', CI: 'true' }, true)).toBeUndefined();
    expect(openerOf('darwin', { SSH_CONNECTION: '10.0.0.1 1 10.0.0.2 22' }, true)).toBeUndefined();
  });

  it('hands over a file that only its owner reads, and never the link itself', async () => {
    const url = 'https://solyx.example.com/login#token=a&b="<x>';
    expect(await openInBrowser(opener('exit 0'), url, folder)).toBe(true);
    const given = readFileSync(join(folder, 'arguments'), 'utf8').trim();
    expect(given).toBe(join(folder, 'open.html'));
    expect(statSync(given).mode & 0o777).toBe(0o600);
    const page = readFileSync(given, 'utf8');
    expect(page).toContain('0; url=https://solyx.example.com/login#token=a&#38;b=');
    expect(page).not.toContain('<x>');
  });

  it('replaces the file of the link before', async () => {
    await openInBrowser(opener('exit 0'), 'https://one.example.com/', folder);
    await openInBrowser(opener('exit 0'), 'https://two.example.com/', folder);
    expect(readFileSync(join(folder, 'open.html'), 'utf8')).not.toContain('one.example.com');
  });

  it('says when there is no browser', async () => {
    expect(await openInBrowser(opener('exit 3'), 'https://solyx.example.com/', folder)).toBe(false);
    expect(await openInBrowser(join(folder, 'missing'), 'https://solyx.example.com/', folder)).toBe(false);
  });

  it('does not wait for a browser that stays open', async () => {
    const found = openInBrowser(opener(`echo $$ > ${folder}/pid; exec sleep 60`), 'https://solyx.example.com/', folder);
    expect(await found).toBe(true);
    const pid = await until(
      'it wrote its process',
      () => Number(readFileSync(join(folder, 'pid'), 'utf8')) || undefined,
    );
    process.kill(pid as number);
  });
});
