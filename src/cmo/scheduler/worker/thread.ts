/**
 * Entry of the worker thread: messages in, answers out, one after the other. An error ends the call that it belongs to; one that
 * belongs to none ends the thread, and the main thread starts another and feeds it anew.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { packExplanation } from '../../../common/contract/explanation.ts';
import { encodeRound } from '../record/round-file.ts';
import type { Answers, FromWorker, Request, ToWorker } from './messages.ts';
import { RoundEngine, type RoundRecord } from './round-engine.ts';

const engine = new RoundEngine();

parentPort?.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'reset':
      engine.reset();
      return;
    case 'apply':
      engine.apply(message.delta);
      return;
    case 'settle':
      engine.settle(message.settlement);
      return;
    case 'call':
      parentPort?.postMessage(answerTo(message.call, message.request));
  }
});

function answerTo(call: number, request: Request): FromWorker {
  try {
    return { call, answer: answer(request) };
  } catch (error) {
    return { call, error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
}

function answer(request: Request): Answers[keyof Answers] {
  switch (request.type) {
    case 'round': {
      const start = performance.now();
      const { recordTo } = request;
      const record =
        recordTo === null
          ? undefined
          : (round: RoundRecord) => {
              // Under its name it is whole, whoever reads the folder meanwhile.
              writeFileSync(`${recordTo}.part`, encodeRound(round));
              renameSync(`${recordTo}.part`, recordTo);
            };
      const summary = engine.run(request.policy, request.now, record);
      return { ...summary, seconds: (performance.now() - start) / 1000 };
    }
    case 'placements':
      return engine
        .placements(request.from, request.count)
        .map((placement) => ({ ...placement, explanation: packExplanation(placement.explanation) }));
    case 'verdicts':
      return engine.verdicts(request.from, request.count);
    case 'compare':
      return engine.compare(request.kind, request.rows, request.count);
  }
}
