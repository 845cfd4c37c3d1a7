import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
// @ts-expect-error the example is plain JavaScript, as a user would bring it
import { createModel, createRandom } from '../../../examples/train/model.mjs';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'solyx-train-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Training {
  child: ChildProcess;
  output: () => string;
  ended: Promise<{ code: number | null; output: string }>;
}

function train(args: string[], env: Record<string, string> = {}): Training {
  const child = spawn(process.execPath, ['examples/train/train.mjs', ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const ended = new Promise<{ code: number | null; output: string }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
  return { child, output: () => output, ended };
}

/** Validation losses by step, as printed. */
const losses = (output: string) =>
  [...output.matchAll(/step +(\d+) .*validation loss ([\d.]+)/g)].map((m) => [Number(m[1]), Number(m[2])] as const);

describe('the training example', () => {
  it('computes the gradient that the loss really has', () => {
    const random = createRandom(7);
    const model = createModel({ vocabulary: 5, context: 3, embedding: 4, hidden: 6 }, random);
    const text = [0, 1, 2, 3, 4, 3, 2, 1, 0];
    const positions = [3, 4, 6, 8];
    model.lossAndGradient(text, positions);
    const gradients = Float32Array.from(model.gradients as Float32Array);
    const step = 1e-2;
    for (let i = 0; i < gradients.length; i += 3) {
      const before = model.weights[i];
      model.weights[i] = before + step;
      const above = model.loss(text, positions);
      model.weights[i] = before - step;
      const below = model.loss(text, positions);
      model.weights[i] = before;
      expect(gradients[i]).toBeCloseTo((above - below) / (2 * step), 3);
    }
  });

  it('learns: the validation loss falls well below that of guessing', async () => {
    const metrics = join(folder, 'metrics.jsonl');
    const { code, output } = await train(['--steps', '120', '--report-every', '40'], { SOLYX_METRICS: metrics }).ended;
    expect(code).toBe(0);
    const [first, ...rest] = losses(output).map(([, loss]) => loss);
    expect(first).toBeCloseTo(Math.log(40), 1);
    expect(rest.at(-1)).toBeLessThan((first ?? 0) - 0.8);
    expect(output).toContain('the model writes:');
    const lines = readFileSync(metrics, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const stepsOf = (name: string) => lines.filter((line) => name in line).map(({ step }) => step);
    expect(stepsOf('validationLoss')).toEqual([0, 40, 80, 120]);
    expect(stepsOf('loss')).toEqual([0, 20, 40, 60, 80, 100, 120]);
  });

  it('goes on from the checkpoint of a stopped attempt as if nothing had happened', async () => {
    const first = join(folder, '1');
    const second = join(folder, '2');
    const args = ['--steps', '200', '--report-every', '50', '--checkpoint-every', '10'];
    const stopped = train(args, { SOLYX_CHECKPOINT_DIR: first });
    stopped.child.stdout?.on('data', () => {
      if (!stopped.child.killed && stopped.output().includes('checkpoint written at step 20'))
        stopped.child.kill('SIGTERM');
    });
    expect((await stopped.ended).code).toBe(143);
    expect(existsSync(join(first, 'checkpoint.bin'))).toBe(true);

    const env = { SOLYX_CHECKPOINT_DIR: second, SOLYX_PREVIOUS_CHECKPOINT_DIR: first };
    const [resumed, straight] = await Promise.all([train(args, env).ended, train(args).ended]);
    expect(resumed.code).toBe(0);
    expect(resumed.output).toMatch(/resumed from the checkpoint at step \d+/);
    expect(losses(resumed.output).at(-1)).toEqual(losses(straight.output).at(-1));
    expect(existsSync(join(second, 'checkpoint.bin'))).toBe(true);
  });

  it('starts over, and says so, when the checkpoint is damaged', async () => {
    mkdirSync(join(folder, '1'));
    writeFileSync(join(folder, '1', 'checkpoint.bin'), '{"step":5}\nhalf of a fi');
    const { code, output } = await train(['--steps', '5'], { SOLYX_PREVIOUS_CHECKPOINT_DIR: join(folder, '1') }).ended;
    expect(code).toBe(0);
    expect(output).toContain('no usable checkpoint');
  });
});
