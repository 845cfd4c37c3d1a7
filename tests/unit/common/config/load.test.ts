import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  configKeys,
  configValues,
  loadConfig,
  nearest,
  printConfig,
  solyxHome,
} from '../../../../src/common/config/index.ts';
import { SolyxError } from '../../../../src/common/errors/index.ts';

const home = mkdtempSync(join(tmpdir(), 'solyx-config-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

function load(yaml: string, env: Record<string, string> = {}, overrides: Record<string, unknown> = {}) {
  const file = join(home, 'test.yaml');
  writeFileSync(file, yaml);
  return loadConfig({ file, env: { SOLYX_HOME: home, ...env }, overrides });
}

function refusal(run: () => unknown): SolyxError {
  try {
    run();
  } catch (error) {
    if (error instanceof SolyxError) return error;
  }
  throw new Error('it was taken');
}

describe('the configuration', () => {
  it('needs nothing', () => {
    const config = loadConfig({ env: { SOLYX_HOME: join(home, 'none') } });
    expect(config).toMatchObject({
      server: { host: '127.0.0.1', port: 8080 },
      node: { isolation: ['sandbox', 'container'] },
    });
    expect(config.site.cpuPricePerHour).toBe(10_000n);
  });

  it('is the default, then the file, then the environment, then the command line', () => {
    const yaml = 'server:\n  port: 1\nlog:\n  level: warn\n';
    expect(load(yaml).server.port).toBe(1);
    expect(load(yaml, { SOLYX_SERVER_PORT: '2' }).server.port).toBe(2);
    const config = load(yaml, { SOLYX_SERVER_PORT: '2' }, { 'server.port': 3, 'server.host': undefined });
    expect(config).toMatchObject({ server: { port: 3, host: '127.0.0.1' }, log: { level: 'warn' } });
  });

  it('takes lists, booleans, numbers and money from the environment', () => {
    const config = load('', {
      SOLYX_NODE_ISOLATION: 'sandbox, process',
      SOLYX_NODE_HOST_NETWORK: 'true',
      SOLYX_SITE_PUE: '1.05',
      SOLYX_SITE_DEVICE_PRICE_PER_HOUR: '2.49',
    });
    expect(config.node).toMatchObject({ isolation: ['sandbox', 'process'], hostNetwork: true });
    expect(config.site).toMatchObject({ pue: 1.05, devicePricePerHour: 2_490_000n });
  });

  it.each([
    ['a key', 'server:\n  prot: 1\n', {}, 'server.prot', 'did you mean server.port?'],
    ['a section', 'sever:\n  port: 1\n', {}, 'sever', 'did you mean server?'],
    ['a variable', '', { SOLYX_SERVER_PROT: '1' }, 'SOLYX_SERVER_PROT', 'did you mean SOLYX_SERVER_PORT?'],
    ['something far from everything', 'zzzzzzzzzz: 1\n', {}, 'zzzzzzzzzz', 'is not known'],
  ])('that names %s that nobody knows is refused with the nearest', (_, yaml, env, at, words) => {
    const { code, issues } = refusal(() => load(yaml, env));
    expect(code).toBe('config_invalid');
    expect(issues).toContainEqual({ at, message: expect.stringContaining(words) });
  });

  it('that is broken YAML is refused by line and column', () => {
    expect(refusal(() => load('server:\n  port: [1\n')).message).toMatch(/test\.yaml, line \d+, column \d+: /);
    expect(refusal(() => load('- 1\n')).message).toContain('expected keys and values');
  });

  it('names every mistake at once', () => {
    const { issues } = refusal(() => load('server:\n  port: 70000\nsite:\n  pue: 0\n', { SOLYX_LOG_LEVEL: 'loud' }));
    expect(issues.map(({ at }) => at).sort()).toEqual(['log.level', 'server.port', 'site.pue']);
  });

  it('of a file that is named and not there is refused; of the usual file it is not', () => {
    expect(refusal(() => loadConfig({ file: join(home, 'gone.yaml'), env: {} })).message).toContain('gone.yaml');
  });

  it('leaves the variables of clients, jobs and tests alone', () => {
    expect(() =>
      load('', { SOLYX_URL: 'x', SOLYX_API_KEY: 'x', SOLYX_JOB_ID: 'x', SOLYX_TEST_ANY: 'x' }),
    ).not.toThrow();
  });
});

describe('the printed configuration', () => {
  it('is read back to the same values', () => {
    const config = load('server:\n  port: 9\nsite:\n  devicePricePerHour: "2.5"\nnode:\n  isolation: [process]\n');
    expect(load(printConfig(config))).toEqual(config);
  });

  it('as an example is valid and changes nothing', () => {
    expect(parse(printConfig())).toBeNull();
    expect(load(printConfig())).toEqual(load(''));
    for (const { path } of configKeys()) expect(printConfig()).toContain(`# ${path.split('.')[1]}:`);
  });

  it('shows no password, as YAML and as JSON', () => {
    const config = load('database:\n  url: postgres://me:s3cret@db/solyx\n');
    expect(printConfig(config)).toContain('postgres://me:***@db/solyx');
    expect(JSON.stringify([printConfig(config), configValues(config)])).not.toContain('s3cret');
  });
});

describe('the data directory', () => {
  it('is SOLYX_HOME, else below HOME, else below the home of the user', () => {
    expect(solyxHome({ SOLYX_HOME: '/a b' })).toBe('/a b');
    expect(solyxHome({ HOME: '/h' })).toBe('/h/.local/share/solyx');
    expect(solyxHome({})).toMatch(/^\/.*\.local\/share\/solyx$/);
  });
});

describe('the nearest word', () => {
  it('is the word itself whenever it is known', () => {
    const words = configKeys().map(({ path }) => path);
    fc.assert(fc.property(fc.constantFrom(...words), (word) => nearest(word, words) === word));
  });

  it('is nothing when none is near', () => {
    expect(nearest('qqqqqqqq', ['port', 'host'])).toBeUndefined();
  });
});
