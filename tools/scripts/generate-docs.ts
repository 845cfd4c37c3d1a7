/**
 * `npm run docs`: writes the documents that are generated from code. With `--check` it writes nothing and exits 1
 * when a document differs from what the code says.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { generatedDocs } from './docs/index.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const { values } = parseArgs({ options: { check: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } });

function currentText(file: string): string | undefined {
  try {
    return readFileSync(join(root, file), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

if (values.help) {
  console.log('usage: npm run docs [-- --check]\n\nWrites, or with --check compares:');
  for (const doc of generatedDocs) console.log(`  ${doc.file}`);
} else {
  for (const doc of generatedDocs) {
    const text = await doc.generate();
    if (currentText(doc.file) === text) continue;
    if (values.check) {
      console.error(`${doc.file} differs from the code; run: npm run docs`);
      process.exitCode = 1;
    } else {
      mkdirSync(dirname(join(root, doc.file)), { recursive: true });
      writeFileSync(join(root, doc.file), text);
      console.log(`wrote ${doc.file}`);
    }
  }
}
