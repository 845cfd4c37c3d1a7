/**
 * Trains a small language model from scratch on the CPU, the way a long training job should behave under Solyx:
 *
 * - checkpoints go to $SOLYX_CHECKPOINT_DIR, and a new attempt goes on from $SOLYX_PREVIOUS_CHECKPOINT_DIR;
 * - SIGTERM (cancel, preemption, end of grace) writes one more checkpoint and ends with 143;
 * - metrics go to $SOLYX_METRICS as one JSON object a line, and are drawn while it runs (`solyx metrics`).
 *
 * None of the three is needed: without them it just trains. Equal seeds give equal results, interrupted or not.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { loadCheckpoint, saveCheckpoint } from './checkpoint.mjs';
import { createAdam, createModel, createRandom } from './model.mjs';

const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '2600' },
    seed: { type: 'string', default: '1' },
    batch: { type: 'string', default: '32' },
    'checkpoint-every': { type: 'string', default: '250' },
    'report-every': { type: 'string', default: '200' },
    'measure-every': { type: 'string', default: '20' },
  },
});
const steps = Number(options.steps);
const batch = Number(options.batch);
const checkpointEvery = Number(options['checkpoint-every']);
const reportEvery = Number(options['report-every']);
const measureEvery = Number(options['measure-every']);
const { SOLYX_CHECKPOINT_DIR, SOLYX_PREVIOUS_CHECKPOINT_DIR, SOLYX_METRICS } = process.env;

const corpus = readFileSync(new URL('corpus.txt', import.meta.url), 'utf8');
const characters = [...new Set(corpus)].sort();
const indexOf = new Map(characters.map((character, index) => [character, index]));
const text = Uint16Array.from(corpus, (character) => indexOf.get(character));

const random = createRandom(Number(options.seed));
const shape = { vocabulary: characters.length, context: 10, embedding: 16, hidden: 192, dropout: 0.25 };
const model = createModel(shape, random);
const adam = createAdam(model.weights, model.gradients);
const state = [model.weights, adam.mean, adam.square];

// The last tenth of the text is never trained on; every seventh position of it is enough to judge by.
const trainingEnd = Math.floor(text.length * 0.9);
const validation = [];
for (let position = trainingEnd + model.shape.context; position < text.length; position += 7) validation.push(position);

let step = 0;
if (SOLYX_PREVIOUS_CHECKPOINT_DIR) {
  const header = loadCheckpoint(SOLYX_PREVIOUS_CHECKPOINT_DIR, state);
  if (header) {
    step = header.step;
    adam.steps = header.step;
    random.state = header.randomState;
    console.log(`resumed from the checkpoint at step ${step}`);
  } else {
    console.log('no usable checkpoint of an earlier attempt; starting from the beginning');
  }
}

function checkpoint() {
  if (!SOLYX_CHECKPOINT_DIR) return;
  saveCheckpoint(SOLYX_CHECKPOINT_DIR, { step, randomState: random.state }, state);
  console.log(`checkpoint written at step ${step}`);
}

/** Lets the model write `length` characters, drawn with its own generator so that training stays reproducible. */
function sample(length, temperature = 0.6) {
  const dice = createRandom(step + 1);
  const written = Array.from(text.subarray(0, model.shape.context));
  for (let n = 0; n < length; n += 1) {
    const weights = Array.from(model.forward(written, written.length), (p) => p ** (1 / temperature));
    let rest = dice.next() * weights.reduce((sum, weight) => sum + weight, 0);
    let choice = 0;
    while (choice < weights.length - 1 && rest >= weights[choice]) {
      rest -= weights[choice];
      choice += 1;
    }
    written.push(choice);
  }
  return written
    .slice(model.shape.context)
    .map((index) => characters[index])
    .join('');
}

const started = performance.now();
const firstStep = step;

function report(trainingLoss) {
  const validationLoss = model.loss(text, validation);
  const elapsedSeconds = (performance.now() - started) / 1000;
  const rate = elapsedSeconds > 0 ? ((step - firstStep) * batch) / elapsedSeconds : 0;
  console.log(
    `step ${String(step).padStart(5)}  training loss ${trainingLoss.toFixed(4)}  ` +
      `validation loss ${validationLoss.toFixed(4)}  ${elapsedSeconds.toFixed(1)} s`,
  );
  measure({ validationLoss, charactersPerSecond: Math.round(rate) });
}

/** Values of this step, for the charts. */
function measure(values) {
  if (!SOLYX_METRICS) return;
  appendFileSync(SOLYX_METRICS, `${JSON.stringify({ step, time: Date.now() / 1000, ...values })}\n`);
}

let stopped = false;
process.on('SIGTERM', () => {
  stopped = true;
});

console.log(
  `${text.length} characters, ${characters.length} different ones, ${model.weights.length} weights, ${steps} steps`,
);
if (step === 0) {
  const loss = model.loss(text, validation);
  measure({ loss });
  report(loss);
}

const positions = new Uint32Array(batch);
let recent = 0;
let recentSteps = 0;
let measured = 0;
let measuredSteps = 0;
while (step < steps && !stopped) {
  for (let n = 0; n < batch; n += 1) {
    positions[n] = model.shape.context + Math.floor(random.next() * (trainingEnd - model.shape.context));
  }
  const loss = model.lossAndGradient(text, positions);
  recent += loss;
  recentSteps += 1;
  measured += loss;
  measuredSteps += 1;
  // Warm up, then fall along a cosine to a tenth of the rate.
  const rate = 0.003 * Math.min(1, (step + 1) / 50) * (0.55 + 0.45 * Math.cos((Math.PI * step) / steps));
  adam.step(rate);
  step += 1;
  if (step % measureEvery === 0) {
    measure({ loss: measured / measuredSteps, learningRate: rate });
    measured = 0;
    measuredSteps = 0;
  }
  if (step % reportEvery === 0 || step === steps) {
    report(recent / recentSteps);
    recent = 0;
    recentSteps = 0;
  }
  if (step % checkpointEvery === 0 && step < steps) checkpoint();
  if (step % 500 === 0 && step < steps) console.log(`  sample: ${JSON.stringify(sample(70))}`);
  await setImmediate(); // lets a signal through
}

checkpoint();
if (stopped) {
  console.log(`stopped at step ${step}`);
  process.exitCode = 143;
} else {
  console.log(`\nthe model writes:\n${sample(400)}`);
}
