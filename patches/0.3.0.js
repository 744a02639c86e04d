import ApiContext from '../api/ApiContext';
import { showToast } from '../toasts/toastEvents';
import { createApiProvider } from './ApiProvider.js';

export default createApiProvider(ApiContext, { notify: showToast });
