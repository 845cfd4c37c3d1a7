/** Why somebody did not get in, in words for her rather than for who runs the server. */
import { asProblem, type Problem } from '../api/problem.ts';
import { ProblemText } from '../ui/problem-text.tsx';

const words: Readonly<Record<string, readonly [title: string, remedy: string]>> = {
  unauthenticated: ['This is no API key of this server.', 'Check that all of it was copied; it begins with sx_api_.'],
  key_revoked: ['This API key was revoked or has expired.', 'Ask an admin for a new one.'],
  link_invalid: ['This link was used, has expired or was withdrawn.', 'Each link works once. Ask for a new one.'],
  network: ['The server cannot be reached.', 'Check your connection and whether it runs, then try again.'],
};

export function Trouble({ error }: { readonly error: unknown }) {
  return <ProblemText problem={inWords(asProblem(error))} />;
}

function inWords(problem: Problem): Problem {
  const [title, remedy] = words[problem.code] ?? [problem.title, problem.remedy];
  const wait =
    problem.code === 'rate_limited' ? `Try again in ${Math.ceil(problem.retryAfterSeconds ?? 1)} s.` : remedy;
  const detail = problem.code in words ? undefined : problem.detail;
  return Object.assign(Object.create(problem) as Problem, { title, remedy: wait, detail, requestId: undefined });
}
