import { describe, expect, it } from 'vitest';
import { componentOf, filesBelow, importsOf, readSource, targetOf } from './support/sources.ts';

const sources = filesBelow('src', '.ts');

/** Folders whose functions must give the same answer for the same arguments, whenever and wherever they run. */
const PURE_FOLDERS = [
  'src/cmo/scheduler/core/',
  'src/cmo/scheduler/prediction/',
  'src/drm/allocator/packing/',
  'src/sdn/routing/solver/',
];
/** Second faces: what a component offers to other pure cores, apart from its index.ts because that reaches a database. */
const PURE_FACES = ['src/drm/allocator/packing/index.ts'];
const IMPURE_PACKAGES = [
  'pg',
  'kysely',
  'fastify',
  'ws',
  'pino',
  'tar',
  'undici',
  'prom-client',
  'cockatiel',
  'uuidv7',
];
const IMPURE_CALLS = [/\bDate\.now\(/, /\bnew Date\(\)/, /\bMath\.random\(/, /\bperformance\.now\(/, /\bprocess\./];

function isImpure(specifier: string): boolean {
  return specifier.startsWith('node:') || IMPURE_PACKAGES.some((name) => specifier.split('/')[0] === name);
}

/** Impure imports that a file reaches through its own imports, each with the file that has it. */
function impureReach(start: string): string[] {
  const seen = new Set([start]);
  const found: string[] = [];
  for (const file of seen) {
    for (const { specifier, typeOnly } of importsOf(file)) {
      if (typeOnly) continue;
      const target = targetOf(file, specifier);
      if (target !== undefined) seen.add(target);
      else if (isImpure(specifier)) found.push(`${start} reaches ${specifier} through ${file}`);
    }
  }
  return found;
}

describe('import direction', () => {
  it('common knows no component', () => {
    const wrong = sources
      .filter((file) => file.startsWith('src/common/'))
      .flatMap((file) =>
        importsOf(file)
          .map(({ specifier }) => targetOf(file, specifier))
          .filter((target) => target !== undefined && !target.startsWith('src/common/'))
          .map((target) => `${file} imports ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  it('components see each other only through their faces', () => {
    const wrong = sources.flatMap((file) =>
      importsOf(file)
        .map(({ specifier }) => targetOf(file, specifier))
        .filter((target): target is string => target !== undefined)
        .filter((target) => {
          const owner = componentOf(target);
          if (owner === undefined || owner === 'common' || owner === componentOf(file)) return false;
          return target !== `src/${owner}/index.ts` && !PURE_FACES.includes(target);
        })
        .map((target) => `${file} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('components form no cycle', () => {
    const edges = new Map<string, Set<string>>();
    for (const file of sources) {
      const from = componentOf(file);
      if (from === undefined || from === 'common') continue;
      for (const { specifier, typeOnly } of importsOf(file)) {
        const to = componentOf(targetOf(file, specifier) ?? '');
        if (typeOnly || to === undefined || to === 'common' || to === from) continue;
        edges.set(from, (edges.get(from) ?? new Set()).add(to));
      }
    }
    expect(findCycle(edges)).toEqual([]);
  });
});

describe('pure cores', () => {
  const pure = sources.filter((file) => PURE_FOLDERS.some((folder) => file.startsWith(folder)));

  it('exist', () => {
    expect(pure.length).toBeGreaterThan(0);
  });

  it('reach no input or output, however indirectly', () => {
    expect(pure.flatMap(impureReach)).toEqual([]);
  });

  it('read no clock, no randomness and no environment', () => {
    const wrong = pure.flatMap((file) => {
      const code = readSource(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      return IMPURE_CALLS.filter((call) => call.test(code)).map((call) => `${file}: ${call.source}`);
    });
    expect(wrong).toEqual([]);
  });
});

/** The first cycle found, as the names along it, or an empty list. */
function findCycle(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const done = new Set<string>();
  const visit = (name: string, path: string[]): string[] => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
    if (done.has(name)) return [];
    for (const next of edges.get(name) ?? []) {
      const cycle = visit(next, [...path, name]);
      if (cycle.length > 0) return cycle;
    }
    done.add(name);
    return [];
  };
  for (const name of edges.keys()) {
    const cycle = visit(name, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
