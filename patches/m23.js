import ApiContext from '../api/ApiContext';
import { createApiProvider } from './ApiProvider.js';

export default createApiProvider(ApiContext);
