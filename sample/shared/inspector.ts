import { SseInspectorModule } from 'nestjs-eventstream/inspector';
import { FromHereGuard } from './from-here.guard.js';

/** The inspector at `/sse-inspector`: for whoever sits at this machine. */
export const inspector = SseInspectorModule.forRoot({
  guard: FromHereGuard,
  // No other names: a guard by address needs it, see "Guards by address" in the guide.
  allowedHosts: ['localhost'],
});
