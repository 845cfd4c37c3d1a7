/**
 * Needs three attempts: each reads how far the one before it came, goes one step further, and fails before the last.
 * Without the folders that Solyx gives (run by hand), every run is a first attempt.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const STEPS = 3;
const { SOLYX_CHECKPOINT_DIR, SOLYX_PREVIOUS_CHECKPOINT_DIR } = process.env;

const earlier = SOLYX_PREVIOUS_CHECKPOINT_DIR && join(SOLYX_PREVIOUS_CHECKPOINT_DIR, 'step');
const done = earlier && existsSync(earlier) ? Number(readFileSync(earlier, 'utf8')) : 0;
const step = done + 1;
console.log(`step ${step} of ${STEPS}`);

if (SOLYX_CHECKPOINT_DIR) {
  mkdirSync(SOLYX_CHECKPOINT_DIR, { recursive: true });
  writeFileSync(join(SOLYX_CHECKPOINT_DIR, 'step.partial'), String(step));
  renameSync(join(SOLYX_CHECKPOINT_DIR, 'step.partial'), join(SOLYX_CHECKPOINT_DIR, 'step'));
}
if (step < STEPS) {
  console.error('failing on purpose; the next attempt goes on from here');
  process.exit(1);
}
console.log('done');
