/**
 * A character-level language model: the last characters predict the next one.
 *
 * Embedding → one tanh layer → softmax (the neural probabilistic language model of Bengio et al., JMLR 2003), with the
 * gradients written out by hand and Adam (Kingma & Ba, 2015) as the optimiser. All weights lie in one Float32Array, so
 * that a checkpoint is one copy and the optimiser one loop.
 */

/** A small reproducible random generator (mulberry32); its whole state is one number, which checkpoints keep. */
export function createRandom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  return {
    /** Uniform in [0, 1). */
    next,
    /** Standard normal, by Box and Muller. */
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    get state() {
      return state;
    },
    set state(value) {
      state = value >>> 0;
    },
  };
}

/**
 * @param shape `{vocabulary, context, embedding, hidden, dropout}`: number of characters, characters looked back on,
 *   widths of the embedding and of the hidden layer, and the share 0..1 of inputs and hidden units that one training
 *   example must do without, so that a small corpus is not just learned by heart
 */
export function createModel(shape, random) {
  const { vocabulary, context, embedding, hidden, dropout = 0 } = shape;
  const inputs = context * embedding;
  const sizes = [vocabulary * embedding, inputs * hidden, hidden, hidden * vocabulary, vocabulary];
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const split = (all) => {
    let offset = 0;
    return sizes.map((size) => {
      offset += size;
      return all.subarray(offset - size, offset);
    });
  };
  const weights = new Float32Array(total);
  const gradients = new Float32Array(total);
  const [embed, w1, b1, w2, b2] = split(weights);
  const [dEmbed, dW1, dB1, dW2, dB2] = split(gradients);
  for (let i = 0; i < embed.length; i += 1) embed[i] = random.normal() * 0.5;
  for (let i = 0; i < w1.length; i += 1) w1[i] = random.normal() / Math.sqrt(inputs);
  for (let i = 0; i < w2.length; i += 1) w2[i] = (random.normal() * 0.1) / Math.sqrt(hidden);

  const x = new Float32Array(inputs);
  const h = new Float32Array(hidden);
  const probabilities = new Float32Array(vocabulary);
  const dHidden = new Float32Array(hidden);
  // What dropout multiplies by: 1 when judging; 0 or 1 / (1 - dropout) while training.
  const keepX = new Float32Array(inputs).fill(1);
  const keepH = new Float32Array(hidden).fill(1);

  function drawMask(mask) {
    for (let i = 0; i < mask.length; i += 1) mask[i] = random.next() < dropout ? 0 : 1 / (1 - dropout);
  }

  /** Fills `probabilities` with the distribution of the character after text[position - context .. position - 1]. */
  function forward(text, position) {
    for (let c = 0; c < context; c += 1) {
      const row = text[position - context + c] * embedding;
      for (let e = 0; e < embedding; e += 1) {
        x[c * embedding + e] = embed[row + e] * keepX[c * embedding + e];
      }
    }
    h.set(b1);
    for (let i = 0; i < inputs; i += 1) {
      const value = x[i];
      const row = i * hidden;
      for (let j = 0; j < hidden; j += 1) h[j] += value * w1[row + j];
    }
    for (let j = 0; j < hidden; j += 1) h[j] = Math.tanh(h[j]) * keepH[j];
    probabilities.set(b2);
    for (let j = 0; j < hidden; j += 1) {
      const value = h[j];
      const row = j * vocabulary;
      for (let v = 0; v < vocabulary; v += 1) probabilities[v] += value * w2[row + v];
    }
    let largest = -Infinity;
    for (let v = 0; v < vocabulary; v += 1) largest = Math.max(largest, probabilities[v]);
    let sum = 0;
    for (let v = 0; v < vocabulary; v += 1) sum += probabilities[v] = Math.exp(probabilities[v] - largest);
    for (let v = 0; v < vocabulary; v += 1) probabilities[v] /= sum;
    return probabilities;
  }

  /** Adds the gradient of one example, times `scale`, after `forward` of the same position. */
  function backward(text, position, scale) {
    probabilities[text[position]] -= 1; // the gradient of softmax and cross-entropy together
    dHidden.fill(0);
    for (let v = 0; v < vocabulary; v += 1) dB2[v] += probabilities[v] *= scale;
    for (let j = 0; j < hidden; j += 1) {
      const value = h[j];
      const row = j * vocabulary;
      let sum = 0;
      for (let v = 0; v < vocabulary; v += 1) {
        const d = probabilities[v];
        dW2[row + v] += value * d;
        sum += w2[row + v] * d;
      }
      const keep = keepH[j];
      dHidden[j] = keep === 0 ? 0 : sum * keep * (1 - (value / keep) ** 2);
      dB1[j] += dHidden[j];
    }
    for (let i = 0; i < inputs; i += 1) {
      const value = x[i];
      const row = i * hidden;
      let sum = 0;
      for (let j = 0; j < hidden; j += 1) {
        const d = dHidden[j];
        dW1[row + j] += value * d;
        sum += w1[row + j] * d;
      }
      const c = Math.floor(i / embedding);
      dEmbed[text[position - context + c] * embedding + (i - c * embedding)] += sum * keepX[i];
    }
  }

  /** Mean cross-entropy over positions, in nats a character. */
  function loss(text, positions) {
    let sum = 0;
    for (const position of positions) sum -= Math.log(forward(text, position)[text[position]] + 1e-12);
    return sum / positions.length;
  }

  /** Mean loss over a batch, leaving its gradient in `gradients`. */
  function lossAndGradient(text, positions) {
    gradients.fill(0);
    let sum = 0;
    for (const position of positions) {
      if (dropout > 0) {
        drawMask(keepX);
        drawMask(keepH);
      }
      sum -= Math.log(forward(text, position)[text[position]] + 1e-12);
      backward(text, position, 1 / positions.length);
    }
    keepX.fill(1);
    keepH.fill(1);
    return sum / positions.length;
  }

  return { shape, weights, gradients, forward, loss, lossAndGradient };
}

/** Adam with decoupled weight decay. `step(rate)` moves `weights` against `gradients`. */
export function createAdam(weights, gradients, { beta1 = 0.9, beta2 = 0.999, decay = 0.01 } = {}) {
  const mean = new Float32Array(weights.length);
  const square = new Float32Array(weights.length);
  const adam = { mean, square, steps: 0, step };
  function step(rate) {
    adam.steps += 1;
    const meanScale = 1 / (1 - beta1 ** adam.steps);
    const squareScale = 1 / (1 - beta2 ** adam.steps);
    for (let i = 0; i < weights.length; i += 1) {
      const g = gradients[i];
      mean[i] = beta1 * mean[i] + (1 - beta1) * g;
      square[i] = beta2 * square[i] + (1 - beta2) * g * g;
      weights[i] -= rate * ((mean[i] * meanScale) / (Math.sqrt(square[i] * squareScale) + 1e-8) + decay * weights[i]);
    }
  }
  return adam;
}
