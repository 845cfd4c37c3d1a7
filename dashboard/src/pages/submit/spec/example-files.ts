/** The files of examples/train as texts; a chunk of its own, loaded only with the template that needs them. */
import checkpoint from '../../../../../examples/train/checkpoint.mjs?raw';
import corpus from '../../../../../examples/train/corpus.txt?raw';
import model from '../../../../../examples/train/model.mjs?raw';
import train from '../../../../../examples/train/train.mjs?raw';

export const exampleFiles: readonly { readonly path: string; readonly text: string }[] = [
  { path: 'checkpoint.mjs', text: checkpoint },
  { path: 'corpus.txt', text: corpus },
  { path: 'model.mjs', text: model },
  { path: 'train.mjs', text: train },
];
