/**
 * Entry of the dashboard: policy first, then what is asked for, then the app. It is drawn when the first page is here as a whole,
 * or, where that takes long, as the frame in which it will appear.
 */
import './app/trusted-types.ts';
import { firstAnswers } from './app/first-answers.ts';
import './app/styles.css';
import { createRoot } from 'react-dom/client';
import { App } from './app/app.tsx';
import { router } from './app/router.tsx';

/** Longest that nothing is drawn while code and answers are awaited, ms. */
const patienceMs = 250;

const whole = Promise.all([firstAnswers, router.load().catch(() => undefined)]);
const enough = new Promise((resolve) => setTimeout(resolve, patienceMs));
void Promise.race([whole, enough]).then(() => createRoot(document.getElementById('root')!).render(<App />));
