export { type Code, type ErrorCode, errorCodes } from './codes.ts';
export { type ErrorOptions, type Issue, type Problem, SolyxError, toProblem } from './solyx-error.ts';
