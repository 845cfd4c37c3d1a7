/**
 * Asks again while somebody types: after a pause, the newest question only, and the one before is aborted.
 *
 * An answer that was overtaken never arrives, so what is shown always belongs to what is written.
 */
export interface Latest<Question> {
  /** Asks after the pause; what was asked before is forgotten. */
  ask(question: Question): void;
  /** Asks nothing more and aborts what is under way. */
  stop(): void;
}

/**
 * @param run is called with the question and a signal that aborts when a newer one comes
 * @param pauseMs milliseconds without a new question before one is asked, ≥ 0
 */
export function askLatest<Question>(
  run: (question: Question, signal: AbortSignal) => Promise<void>,
  pauseMs: number,
): Latest<Question> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: AbortController | undefined;
  const stop = () => {
    clearTimeout(timer);
    running?.abort();
    running = undefined;
  };
  return {
    ask(question) {
      stop();
      timer = setTimeout(() => {
        const controller = new AbortController();
        running = controller;
        // Whoever runs it tells of errors; one that was overtaken tells nobody.
        run(question, controller.signal).catch(() => {});
      }, pauseMs);
    },
    stop,
  };
}
