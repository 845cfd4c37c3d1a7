/** Makes a switch exhaustive: TypeScript refuses the call while a case is missing; at run time it is a bug. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}
