/** Entry of the dashboard: policy first, then the app. */
import './app/trusted-types.ts';
import './app/styles.css';
import { createRoot } from 'react-dom/client';
import { App } from './app/app.tsx';

createRoot(document.getElementById('root')!).render(<App />);
