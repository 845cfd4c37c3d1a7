/** Waits for something that nobody tells. */
export async function until(isSo: () => boolean | Promise<boolean>, patienceMs = 600_000): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs} ms in vain`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
