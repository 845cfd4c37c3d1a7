/** A browser as the API sees it: keeps cookies, and says where its page is from. */
import type { Answer, TestApi } from '../harness.ts';

export const host = 'solyx.test:8080';
export const origin = `http://${host}`;

export class Browser {
  readonly cookies = new Map<string, string>();
  readonly #api: TestApi;

  constructor(api: TestApi) {
    this.#api = api;
  }

  /** Asks as a page of the server itself, unless `headers` say otherwise; undefined leaves a header out. */
  async ask(
    method: string,
    url: string,
    body?: unknown,
    headers: Record<string, string | undefined> = {},
  ): Promise<Answer> {
    const all = { host, origin, 'sec-fetch-site': 'same-origin', cookie: this.cookie, ...headers };
    const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<
      string,
      string
    >;
    const answer = await this.#api.ask(null, method, url, body, sent);
    for (const line of [answer.headers['set-cookie'] ?? []].flat() as string[]) this.#take(line);
    return answer;
  }

  get cookie(): string | undefined {
    return this.cookies.size === 0
      ? undefined
      : [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  #take(line: string): void {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
    if (/max-age=0/i.test(line)) this.cookies.delete(name!);
    else this.cookies.set(name!, value!);
  }
}
