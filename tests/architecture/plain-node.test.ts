import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isBuiltin, stripTypeScriptTypes } from 'node:module';
import { join, posix } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { filesBelow, importsOf, readSource, root, targetOf } from './support/sources.ts';

const run = promisify(execFile);
const sources = ['src', 'bench', 'soak', 'tools'].flatMap((folder) => filesBelow(folder, '.ts'));

/** Files that begin to work when they are loaded: started by name (`main.ts`) or by a URL (workers, supervisors). */
function entryPoints(): Set<string> {
  const entries = new Set(sources.filter((file) => file.endsWith('/main.ts')));
  entries.add('tools/scripts/generate-docs.ts');
  for (const file of sources) {
    for (const match of readSource(file).matchAll(/new URL\(\s*'([^']+\.ts)',\s*import\.meta\.url/g)) {
      entries.add(posix.join(posix.dirname(file), match[1] ?? ''));
    }
  }
  return entries;
}

// vitest runs what Node refuses (enums, imports without an extension), so Node itself has the last word here.
describe('plain Node', () => {
  it('accepts the syntax of every file', () => {
    const refused = sources.flatMap((file) => {
      try {
        stripTypeScriptTypes(readSource(file));
        return [];
      } catch (error) {
        return [`${file}: ${(error as Error).message}`];
      }
    });
    expect(refused).toEqual([]);
  });

  it('finds every file and built-in module that is imported', () => {
    const missing = sources.flatMap((file) =>
      importsOf(file)
        .filter(({ specifier }) => {
          const target = targetOf(file, specifier);
          if (target !== undefined) return !existsSync(join(root, target));
          return specifier.startsWith('node:') && !isBuiltin(specifier);
        })
        .map(({ specifier }) => `${file} imports ${specifier}`),
    );
    expect(missing).toEqual([]);
  });

  it('loads every module that is not an entry point', async () => {
    const entries = entryPoints();
    const modules = sources.filter((file) => !entries.has(file)).map((file) => new URL(file, `file://${root}/`).href);
    const program = `
      const failed = [];
      for (const module of ${JSON.stringify(modules)}) {
        await import(module).catch((error) => failed.push(module + ': ' + error.message));
      }
      process.stdout.write(JSON.stringify(failed), () => process.exit(0));`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], { cwd: root });
    expect(JSON.parse(stdout)).toEqual([]);
  });
});
